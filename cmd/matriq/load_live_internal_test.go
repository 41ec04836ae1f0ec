package main

import (
	"strings"
	"testing"
	"time"

	loading "matriq/pkg/load"
)

func seconds() []loading.Second {
	return []loading.Second{
		{At: 1, Due: 50, Done: 49, UnderWay: 1, Answers: loading.Latency{P50: 1.234, P95: 12.34, P99: 123.4}},
		{At: 2, Due: 50, Done: 40, Later: 5, Failed: 5, Errors: map[loading.Kind]int{loading.KindTimeout: 3, "status_500": 2}},
	}
}

func show(terminal bool) string {
	var b strings.Builder
	l := newLive(&b, planPage, loading.Options{Rate: 50, For: 4 * time.Second})
	l.terminal = terminal
	l.begin("http://127.0.0.1:8080")
	for _, s := range seconds() {
		l.second(s)
	}
	l.end()
	return b.String()
}

// Where there is no terminal each second is a line, with nothing but text.
func TestLive_Lines(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(show(false)), "\n")
	if len(lines) != 3 || strings.Contains(lines[1], "\x1b") {
		t.Fatalf("the lines are %q", lines)
	}
	for i, parts := range [][]string{1: {"due 50", "done 49", "p50 1.23 ms", "p95 12.3 ms", "p99 123 ms"}, 2: {"later 5", "failed 5", "timeout 3  status_500 2"}} {
		for _, part := range parts {
			if !strings.Contains(lines[i], part) {
				t.Errorf("%q lacks %q", lines[i], part)
			}
		}
	}
}

// On a terminal the lines are drawn over, and wiped in the end.
func TestLive_Terminal(t *testing.T) {
	t.Parallel()
	got := show(true)
	if n := strings.Count(got, "\x1b[5A\x1b[J"); n != 2 || !strings.HasSuffix(got, "\x1b[J") {
		t.Errorf("it is drawn over %d times: %q", n, got)
	}
	for _, part := range []string{"1 of 4 s", "██████████░", "timeout 3", "errors     none"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q lacks %q", got, part)
		}
	}
}
