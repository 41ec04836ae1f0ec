package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// patience bounds each wait for Prometheus.
const patience = 60 * time.Second

// prometheus is a running server.
type prometheus struct {
	url   string
	since time.Time
}

// startPrometheus scrapes s and e until the test ends.
func startPrometheus(t *testing.T, s *harness.Suite, e edges) *prometheus {
	t.Helper()
	binary, _ := testenv.Prometheus(t)
	dir, addr := t.TempDir(), testenv.Addr(t)
	process, err := harness.Launch("prometheus", binary, filepath.Join(dir, "log"), nil,
		"--config.file="+configure(t, dir, addr, s, e), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+addr, "--log.level=warn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Kill()
		if t.Failed() {
			t.Logf("log of prometheus:\n%s", process.Log())
		}
	})
	p := &prometheus{url: "http://" + addr, since: time.Now()}
	p.eventually(t, "prometheus is ready", func(ctx context.Context) error {
		select {
		case <-process.Done():
			t.Fatalf("prometheus ended:\n%s", process.Log())
		default:
		}
		return p.get(ctx, "/-/ready", nil, nil)
	})
	return p
}

// eventually polls until ask returns nil.
func (p *prometheus) eventually(t *testing.T, what string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	if err := harness.Poll(ctx, func() bool { last = ask(ctx); return last == nil }); err != nil {
		t.Fatalf("after %v not yet: %s: %v", patience, what, last)
	}
}

// get decodes what the server answers into v, unless that is nil.
func (p *prometheus) get(ctx context.Context, path string, query url.Values, v any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  json.RawMessage
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, answer.Error)
	}
	if v == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer.Data, v)
}

// answered returns nil when a query has at least one value that is a number, at
// any second since the start.
func (p *prometheus) answered(ctx context.Context, expr string) error {
	query := url.Values{
		"query": {expr},
		"start": {strconv.FormatInt(p.since.Unix(), 10)},
		"end":   {strconv.FormatInt(time.Now().Unix(), 10)},
		"step":  {"1"},
	}
	var data struct {
		Result []struct{ Values []sample }
	}
	if err := p.get(ctx, "/api/v1/query_range", query, &data); err != nil {
		return err
	}
	for _, series := range data.Result {
		if slices.ContainsFunc(series.Values, sample.isNumber) {
			return nil
		}
	}
	return fmt.Errorf("%d series and no number", len(data.Result))
}

// sample is a time and a value, which is written as a string.
type sample []any

func (s sample) isNumber() bool {
	if len(s) != 2 {
		return false
	}
	text, ok := s[1].(string)
	return ok && text != "NaN"
}
