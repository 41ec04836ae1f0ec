package load

import "time"

// How a run may end.
const (
	EndedAsPlanned   = "as planned"
	EndedInterrupted = "interrupted"
	EndedNobodyLeft  = "nobody left"
)

// Result is what became of a run. Its JSON is described in docs/load.md; times
// are in milliseconds.
type Result struct {
	Plan  string    `json:"plan"`
	Began time.Time `json:"began"`
	// Seconds is how long it took, from its start to the end of its last visit.
	Took float64 `json:"took_s"`
	// Ended is one of the constants of this package.
	Ended    string   `json:"ended"`
	Arrivals Arrivals `json:"arrivals"`

	Visits Counts `json:"visits"`
	// DonePerSecond are visits, AnswersPerSecond good answers.
	DonePerSecond    float64 `json:"done_per_s"`
	AnswersPerSecond float64 `json:"answers_per_s"`
	// Visit is how long visits took that were done, waiting for mails included.
	Visit Latency `json:"visit"`
	// Answers are all good ones of all visits.
	Answers Latency `json:"answers"`
	// TurnedAway are the answers of 503 with Retry-After.
	TurnedAway Latency `json:"turned_away"`
	// Lag is how late visits began, for which the generator is to blame. It is in
	// Answers and Visit too.
	Lag Latency `json:"lag"`

	Steps  []Step        `json:"steps"`
	Errors []Error       `json:"errors"`
	Groups []GroupResult `json:"groups,omitempty"`
	// Series has a row for each second.
	Series []Second `json:"series"`
	// GeneratorCPU is the processor time that this process used meanwhile.
	GeneratorCPU float64 `json:"generator_cpu_s"`
}

// Arrivals tells the [Options] of a run.
type Arrivals struct {
	Rate  float64 `json:"rate,omitempty"`
	Users int     `json:"users,omitempty"`
	For   float64 `json:"for_s,omitempty"`
	Most  int     `json:"most,omitempty"`
}

// Counts of visits. Due is the sum of the others.
type Counts struct {
	Due    int `json:"due"`
	Done   int `json:"done"`
	Later  int `json:"later"` // turned away: 503 with Retry-After
	Failed int `json:"failed"`
	// NotSent are those for which there was no place, see [Options.Most].
	NotSent int `json:"not_sent"`
	// Abandoned were under way when the run was interrupted.
	Abandoned int `json:"abandoned"`
}

// ErrorShare is the share of visits that failed or were not made, among those
// whose end is known, from 0 to 1.
func (c Counts) ErrorShare() float64 { return c.share(c.Failed + c.NotSent) }

// LaterShare is the share of visits that were turned away, among those whose end
// is known.
func (c Counts) LaterShare() float64 { return c.share(c.Later) }

func (c Counts) share(n int) float64 {
	if known := c.Due - c.Abandoned; known > 0 {
		return float64(n) / float64(known)
	}
	return 0
}

// Latency is a distribution of times in milliseconds.
type Latency struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// Step is one step of the visits.
type Step struct {
	Name string `json:"name"`
	// Answer is false for a step that waits for something else than an answer.
	Answer bool `json:"answer"`
	// Good are those that led on.
	Good   Latency `json:"good"`
	Later  int     `json:"later"`
	Failed int     `json:"failed"`
}

// Error is one kind of failure.
type Error struct {
	Kind  Kind `json:"kind"`
	Count int  `json:"count"`
	// First is the first one in full.
	First string `json:"first,omitempty"`
}

// GroupResult is what became of a [Group].
type GroupResult struct {
	Group
	After  float64 `json:"after_s"`
	RampUp float64 `json:"ramp_up_s"`
	Visits Counts  `json:"visits"`
	Visit  Latency `json:"visit"`
	// PerSecond is the number of visits by the time from the first one's start to
	// the last one's end.
	PerSecond float64 `json:"per_s"`
}

// Second is one of a run.
type Second struct {
	At       float64 `json:"at_s"` // its end, since the start of the run
	Due      int     `json:"due"`
	UnderWay int     `json:"under_way"`
	Done     int     `json:"done"`
	Later    int     `json:"later"`
	Failed   int     `json:"failed"` // those not sent included
	// Answers are the good ones of this second.
	Answers Latency `json:"answers"`
	// Errors are those of this second by kind.
	Errors map[Kind]int `json:"errors,omitempty"`
}
