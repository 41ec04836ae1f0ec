package report_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"matriq/cmd/matriq/load/report"
	"matriq/pkg/load"
)

// result is that of a run of n seconds.
func result(n int) *load.Result {
	r := &load.Result{
		Plan: "journey", Ended: load.EndedAsPlanned, Took: float64(n), DonePerSecond: 98.7,
		Visits: load.Counts{Due: 100 * n, Done: 98 * n, Later: n, Failed: n},
		Steps:  []load.Step{{Name: "POST /authen", Answer: true, Good: load.Latency{Count: 7, P99: 1234.5}}},
		Errors: []load.Error{{Kind: load.KindTimeout, Count: n, First: "GET /: <script>alert(1)</script>"}},
	}
	for i := range n {
		r.Series = append(r.Series, load.Second{
			At: float64(i + 1), Due: 100, Done: 98, Later: 1, Failed: 1, UnderWay: i,
			Answers: load.Latency{Count: 98, P50: 3, P95: 12, P99: float64(40 + i)},
		})
	}
	return r
}

func write(t *testing.T, p report.Page) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page has what was measured, and nothing from elsewhere.
func TestPage_HasTheData(t *testing.T) {
	t.Parallel()
	page := write(t, report.Page{
		Result: result(60), Target: "http://127.0.0.1:8080", Advice: []string{"Try less."},
		Limits: []report.Limit{{Name: "--max-p99", Want: "at most 1s", Got: "99.0 ms", Kept: true}, {Name: "--max-errors", Want: "at most 0%", Got: "1%"}},
	})
	for _, want := range []string{
		"journey at http://127.0.0.1:8080", "5880", "98.7", "1234", "timeout", "&lt;script&gt;", "Try less.",
		"at most 1s", `class="kept"`, `class="missed"`, "p99 99", ">0.1 ms</text>", ">100 ms</text>", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, alien := range []string{"<script", "src=", "@import", "<link", "url("} {
		if strings.Contains(page, alien) {
			t.Errorf("the page has %q", alien)
		}
	}
	if got := strings.Count(page, "<svg"); got != 3 {
		t.Errorf("the page has %d plots, want 3", got)
	}
}

// The plots are well formed, however long the run was, and stay small.
func TestPage_Plots(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int{1, 2, 60, 36_000} {
		page := write(t, report.Page{Result: result(seconds)})
		for i, plot := range strings.Split(page, "<svg")[1:] {
			body, _, _ := strings.Cut(plot, "</svg>")
			d := xml.NewDecoder(strings.NewReader("<svg" + body + "</svg>"))
			var err error
			for err == nil {
				_, err = d.Token()
			}
			if !errors.Is(err, io.EOF) {
				t.Errorf("plot %d of %d s: %v", i, seconds, err)
			}
		}
		if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || len(page) > 1<<20 {
			t.Errorf("the page of %d s has %d bytes, or what is no number", seconds, len(page))
		}
	}
}

// A run of nothing has a page too.
func TestPage_Empty(t *testing.T) {
	t.Parallel()
	if page := write(t, report.Page{Result: &load.Result{}}); !strings.Contains(page, "visits done") {
		t.Errorf("the page is %s", page)
	}
}

// The article's groups are beside what it published.
func TestPage_Article(t *testing.T) {
	t.Parallel()
	r := result(90)
	for _, g := range load.ArticleGroups() {
		r.Groups = append(r.Groups, load.GroupResult{Group: g, PerSecond: 4321.5})
	}
	page := write(t, report.Page{Result: r})
	for _, want := range []string{"4321.5", "<td>1234 ms</td><td>150.4</td>", "<td>4280 ms</td><td>281.3</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
