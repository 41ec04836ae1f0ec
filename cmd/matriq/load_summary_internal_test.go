package main

import (
	"strings"
	"testing"

	loading "matriq/pkg/load"
)

// The article's groups are printed beside what it published, "–" where it tells
// nothing, and the advice follows the errors.
func TestSummarize(t *testing.T) {
	t.Parallel()
	r := &loading.Result{
		Ended:  loading.EndedAsPlanned,
		Visits: loading.Counts{Due: 7500, Done: 7490, Failed: 3, NotSent: 5, Abandoned: 2},
		Errors: []loading.Error{{Kind: loading.KindRefused, Count: 3, First: "GET /: connection refused"}},
		Lag:    loading.Latency{P99: 60},
	}
	for _, g := range loading.ArticleGroups() {
		r.Groups = append(r.Groups, loading.GroupResult{Group: g, PerSecond: 987.6, Visit: loading.Latency{Mean: 12.3}})
	}
	var b strings.Builder
	summarize(&b, r, nil)
	lines := strings.Split(b.String(), "\n")
	for _, want := range []string{
		"7490 done", "5 not made", "2 broken off", "3 × refused, first: GET /: connection refused", "Does it run?", "lacks processors",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it lacks %q:\n%s", want, b.String())
		}
	}
	for threads, want := range map[string][]string{
		"500 ":  {"12.3 ms", "987.6", "1234 ms", "150.4", "419 ms", "293.9"},
		"2000 ": {"12.3 ms", "987.6", "–", "2929 ms", "243.0"},
	} {
		found := ""
		for _, line := range lines {
			if strings.HasPrefix(strings.TrimSpace(line), threads) {
				found = line
			}
		}
		for _, cell := range want {
			if !strings.Contains(found, cell) {
				t.Errorf("the line of %s threads is %q, want %s in it", threads, found, cell)
			}
		}
	}
}
