package rows

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"matriq/bench/measure"
	"matriq/bench/stand"
)

// messages are how many calls and casts the services have made, by their own
// metrics.
type messages struct{ calls, casts float64 }

func (m messages) less(before messages) messages {
	return messages{calls: m.calls - before.calls, casts: m.casts - before.casts}
}

// Metrics of package rpc.
const (
	metricCalls = "matriq_rpc_call_seconds_count"
	metricCasts = "matriq_rpc_casts_total"
)

func (w *world) messages(ctx context.Context) (messages, error) {
	var m messages
	for _, name := range stand.Services() {
		all, err := metrics(ctx, w.suite.Program(name).Admin)
		if err != nil {
			return m, fmt.Errorf("metrics of %s: %w", name, err)
		}
		m.calls += all[metricCalls]
		m.casts += all[metricCasts]
	}
	return m, nil
}

// metrics returns the sums of a program's metrics over their labels, by name.
func metrics(ctx context.Context, admin string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() // it was only read
	sums := map[string]float64{}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if value, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			sums[name] += value
		}
	}
	return sums, lines.Err()
}

// budget sets what a journey cost against what its messages would cost bare: as
// many calls and casts, at the price that the rows rpc and cast have measured for
// the raw contender.
func (m messages) budget(results string, r measure.Result) []string {
	rate, okRate := r.Figure(ours, measure.Rate)
	served, okServed := r.Figure(ours, measure.Served)
	if !okRate || !okServed || r.Operations == 0 {
		return nil
	}
	done := float64(r.Operations)
	calls, casts := m.calls/done, m.casts/done
	note := fmt.Sprintf("a journey makes %s calls and %s casts and events", measure.Short(calls), measure.Short(casts))
	call, okCall := price(results, "rpc", "60 B, 16 at once")
	cast, okCast := price(results, "cast", "window 64")
	if !okCall || !okCast {
		return []string{note + "; measure the rows rpc and cast for its budget"}
	}
	budget := calls*call + casts*cast
	return []string{fmt.Sprintf("%s; bare they would cost %s × %s µs + %s × %s µs = %s µs of CPU, the budget; it costs %s µs at %s/s",
		note, measure.Short(calls), measure.Short(call), measure.Short(casts), measure.Short(cast), measure.Short(budget),
		measure.Short(served.Median), measure.Short(rate.Median))}
}

// price is what an operation of the raw contender costs in CPU-µs, over all
// processes but the bench's driver, by the results of an earlier run.
func price(results, row, name string) (float64, bool) {
	text, err := os.ReadFile(filepath.Join(results, row+".json")) //nolint:gosec // G304: the folder of results
	if err != nil {
		return 0, false
	}
	var report measure.Report
	if json.Unmarshal(text, &report) != nil {
		return 0, false
	}
	for _, r := range report.Results {
		if f, ok := r.Figure(raw, measure.Served); ok && r.Case == name {
			return f.Median, true
		}
	}
	return 0, false
}
