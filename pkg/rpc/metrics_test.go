package rpc_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/rpc"
)

// sample returns the value of a counter or gauge, or the count of a histogram,
// summed over the series that have these labels.
func sample(t *testing.T, reg prometheus.Gatherer, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			matching := 0
			for _, l := range m.GetLabel() {
				if want, ok := labels[l.GetName()]; ok && want == l.GetValue() {
					matching++
				}
			}
			if matching == len(labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		server, client := prometheus.NewRegistry(), prometheus.NewRegistry()
		serve(t, b, rpc.Options{Metrics: server},
			echo.Handle(func(_ context.Context, a text) (string, error) {
				if a.Text == "late" {
					time.Sleep(3 * time.Second) //nolint:forbidigo // virtual
				}
				return a.Text, nil
			}),
			note.Handle(func(context.Context, text) error { return errors.New("no") }))
		conn := connect(t, b, rpc.Options{Service: "caller", Metrics: client})
		for _, s := range []string{"x", "late"} {
			_, _ = echo.Call(t.Context(), conn, text{s}) // the second one fails on purpose
		}
		_, _ = rpc.NewMethod[text, string]("nobody.here", time.Second).Call(t.Context(), conn, text{})
		must(t, note.Send(t.Context(), conn, text{}))
		must(t, note.SendBefore(t.Context(), conn, text{}, time.Now().Add(-time.Second)))
		time.Sleep(time.Hour) //nolint:forbidigo // virtual
		synctest.Wait()

		for _, want := range []struct {
			reg    prometheus.Gatherer
			name   string
			labels map[string]string
			value  float64
		}{
			{client, "matriq_rpc_call_seconds", map[string]string{"program": "caller", "method": "demo.echo", "code": "ok"}, 1},
			{client, "matriq_rpc_call_seconds", map[string]string{"method": "demo.echo", "code": "deadline_exceeded"}, 1},
			{client, "matriq_rpc_unroutable_total", map[string]string{"method": "nobody.here"}, 1},
			{client, "matriq_rpc_casts_total", map[string]string{"method": "demo.note", "kind": "cast", "code": "ok"}, 2},
			{client, "matriq_rpc_calls_in_flight", nil, 0},
			{client, "matriq_rpc_connection_up", map[string]string{"program": "caller"}, 1},
			{server, "matriq_rpc_handle_seconds", map[string]string{"method": "demo.echo", "kind": "call"}, 2},
			{server, "matriq_rpc_handle_seconds", map[string]string{"method": "demo.note", "kind": "cast", "code": "internal"}, 6},
			{server, "matriq_rpc_retries_total", map[string]string{"method": "demo.note"}, 5},
			{server, "matriq_rpc_parked_total", map[string]string{"method": "demo.note", "reason": "attempts"}, 1},
			{server, "matriq_rpc_expired_total", map[string]string{"method": "demo.note", "kind": "cast"}, 1},
			{server, "matriq_rpc_handling", nil, 0},
		} {
			if got := sample(t, want.reg, want.name, want.labels); got != want.value {
				t.Errorf("%s%v = %v, want %v", want.name, want.labels, got, want.value)
			}
		}
		b.Disconnect()
		if got := sample(t, client, "matriq_rpc_connection_up", nil); got != 0 {
			t.Errorf("connection_up = %v without a connection", got)
		}
	})
}

// What has not happened yet is 0, not missing: a rise from nothing is none to
// Prometheus.
func TestMetrics_beginAtZero(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		server, client := prometheus.NewRegistry(), prometheus.NewRegistry()
		serve(t, b, rpc.Options{Metrics: server},
			echo.Handle(func(_ context.Context, a text) (string, error) { return a.Text, nil }),
			note.Handle(func(context.Context, text) error { return nil }))
		_, err := echo.Call(t.Context(), connect(t, b, rpc.Options{Metrics: client}), text{})
		must(t, err)
		for name, want := range map[string]struct {
			reg    prometheus.Gatherer
			series int
		}{
			"matriq_rpc_panics_total":       {server, 4}, // of the two, and of ping and describe
			"matriq_rpc_expired_total":      {server, 4},
			"matriq_rpc_retries_total":      {server, 1},
			"matriq_rpc_parked_total":       {server, 3},
			"matriq_rpc_call_repeats_total": {client, 1},
			"matriq_rpc_unroutable_total":   {client, 1},
		} {
			got, err := testutil.GatherAndCount(want.reg, name)
			if sum := sample(t, want.reg, name, nil); err != nil || got != want.series || sum != 0 {
				t.Errorf("%s has %d series with a sum of %v, %v; want %d and 0", name, got, sum, err, want.series)
			}
		}
	})
}

// Several connections of one program, as tests and the suite have them, share
// one registry.
func TestMetrics_shared(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, b *rpc.MemoryBroker) {
		reg := prometheus.NewRegistry()
		for range 2 {
			conn := connect(t, b, rpc.Options{Service: "caller", Metrics: reg})
			_, _ = echo.Call(t.Context(), conn, text{}) // nobody is there
		}
		if got := sample(t, reg, "matriq_rpc_unroutable_total", nil); got != 2 {
			t.Errorf("unroutable = %v, want 2", got)
		}
	})
}
