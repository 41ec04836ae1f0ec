package load

import "time"

// PublishedGroup is what the published article tells of one of its five groups
// of JMeter threads on the first page.
type PublishedGroup struct {
	Threads int
	// Average is the mean time of an answer in milliseconds, and PerSecond the
	// throughput, of the article's own site; 0 where it tells none.
	Average, PerSecond float64
	// FasterAverage and FasterPerSecond are of the site it compared itself with.
	FasterAverage, FasterPerSecond float64
}

// Published are the five groups with the article's results.
func Published() []PublishedGroup {
	return []PublishedGroup{
		{500, 1234, 150.4, 419, 293.9},
		{1000, 2550, 145, 1228, 287},
		{1500, 3937, 147, 1861, 290.4},
		{2000, 0, 0, 2929, 243},
		{2500, 0, 0, 4280, 281.3},
	}
}

// The article tells the groups and the time between them. That each thread asks
// once, and all of a group within a second, is how JMeter makes a group unless it
// is told otherwise.
const (
	articleApart  = 20 * time.Second
	articleRampUp = time.Second
)

// ArticleGroups are the groups of the article's test.
func ArticleGroups() []Group {
	var groups []Group
	for i, g := range Published() {
		groups = append(groups, Group{Threads: g.Threads, After: time.Duration(i) * articleApart, RampUp: articleRampUp})
	}
	return groups
}
