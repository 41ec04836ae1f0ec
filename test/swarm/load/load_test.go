package load_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"matriq/test/harness"
	"matriq/test/swarm/load"
)

func TestMain(m *testing.M) { harness.Main(m) }

// run lets people come until it has gone as far as it should.
func run(t *testing.T, site *load.Site, crowd *load.Crowd, plan load.Plan, enough func(load.Report) bool) load.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := load.Start(t.Context(), site, crowd, plan)
	err := harness.Poll(ctx, func() bool { return enough(r.SoFar()) })
	report := r.Stop()
	for _, f := range report.Failures {
		t.Log(f)
	}
	if err != nil {
		t.Fatalf("%v; so far %+v", err, report)
	}
	return report
}

func requests(n int) func(load.Report) bool {
	return func(r load.Report) bool { return r.Requests >= n }
}

// Everybody who comes to a suite that works is told "registered", and everybody
// who was told is complete.
func TestRun_Journeys(t *testing.T) {
	t.Parallel()
	up := harness.StartUp(t, t.TempDir())
	site := &load.Site{
		Origin: up.UI, OTPGateway: up.OTP, RegisterGateway: up.Register, Name: "demo", Password: "demo", Inbox: up.Inbox,
	}
	crowd := load.NewCrowd()
	if err := site.List(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	report := run(t, site, crowd, load.Usual(), func(r load.Report) bool { return r.Registered >= 4 })
	told := crowd.Told()
	if report.Failed != 0 || len(told) != report.Registered {
		t.Errorf("%d failed, %d registered, %d told; want none, and as many told as registered", report.Failed, report.Registered, len(told))
	}
	for id := range told {
		progress, err := site.Progress(t.Context(), id)
		if err != nil || !load.Complete(progress) {
			t.Errorf("progress of %d is %+v, %v", id, progress, err)
		}
	}
}

// front serves the first page, badly now and then.
func front(t *testing.T, bad http.HandlerFunc) *load.Site {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1)%5 == 0 {
			bad(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return &load.Site{Origin: server.URL}
}

func TestRun_CountsFailures(t *testing.T) {
	t.Parallel()
	later := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	for name, c := range map[string]struct {
		bad     http.HandlerFunc
		patient bool
		fails   bool
	}{
		"500":                        {bad: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, patient: true, fails: true},
		"no answer":                  {bad: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, patient: true, fails: true},
		"half an answer":             {bad: halfAnAnswer, patient: true, fails: true},
		"503, patient":               {bad: later, patient: true},
		"503, impatient":             {bad: later, fails: true},
		"503 that does not say when": {bad: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, patient: true, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, front(t, c.bad), load.NewCrowd(), load.Plan{Singles: 100, Patient: c.patient, Fresh: true}, requests(50))
			want := report.Requests / 5
			if want == 0 || (report.Failed == want) != c.fails || (report.Later == want) == c.fails {
				t.Errorf("%+v; want a fifth of the requests to fail: %t", report, c.fails)
			}
		})
	}
}

func halfAnAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte("half"))
}

// A person who is shown the wrong page has failed, though every answer was 200.
func TestRun_CountsWrongPages(t *testing.T) {
	t.Parallel()
	report := run(t, front(t, func(http.ResponseWriter, *http.Request) {}), load.NewCrowd(), load.Plan{Journeys: 20}, requests(20))
	if report.Failed == 0 || report.Registered != 0 {
		t.Errorf("%+v; want failed journeys alone", report)
	}
}

// Of two addresses one does not answer: nobody notices.
func TestRun_TriesTheNextAddress(t *testing.T) {
	t.Parallel()
	site := front(t, func(http.ResponseWriter, *http.Request) {})
	site.Addresses = []string{"127.0.0.3", "127.0.0.1"}
	report := run(t, site, load.NewCrowd(), load.Plan{Singles: 100, Fresh: true}, requests(50))
	if report.Requests == 0 || report.Failed != 0 {
		t.Errorf("%+v; want requests, and none failed", report)
	}
}
