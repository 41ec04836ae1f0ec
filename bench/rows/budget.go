package rows

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
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

// budget sets what a journey cost against what its messages would cost bare: as many
// calls and casts, at the price that the raw contenders had in the same rounds.
func (m messages) budget(journeys int, r measure.Result) []string {
	rate, okRate := r.Figure(ours, measure.Rate)
	served, okServed := r.Figure(ours, measure.Served)
	call, okCall := r.Figure(rawCalls, measure.Served)
	cast, okCast := r.Figure(rawCasts, measure.Served)
	if !okRate || !okServed || !okCall || !okCast || journeys == 0 {
		return nil
	}
	calls, casts := m.calls/float64(journeys), m.casts/float64(journeys)
	return []string{fmt.Sprintf("a journey makes %s calls and %s casts and events; bare they would cost %s × %s µs + %s × %s µs = %s µs of CPU, the budget; it costs %s µs at %s/s",
		measure.Short(calls), measure.Short(casts), measure.Short(calls), measure.Short(call.Median), measure.Short(casts), measure.Short(cast.Median),
		measure.Short(calls*call.Median+casts*cast.Median), measure.Short(served.Median), measure.Short(rate.Median))}
}
