package faultkit

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"matriq/pkg/rpc"
)

// Peer is a program that calls, casts or serves, in this process.
type Peer struct {
	*rpc.Conn
	metrics *prometheus.Registry
	log     *journal
	stop    context.CancelFunc // ends Serve; nil for a peer that does not serve
	served  chan error
	close   sync.Once
}

// Connect returns a program that serves nothing, once it is connected.
func (k *Kit) Connect(name string, change ...func(*rpc.Options)) *Peer {
	k.tb.Helper()
	p := k.dial(name, change)
	Eventually(k.tb, name+" is connected", startPatience, func() bool { return p.Ready() == nil })
	return p
}

// Serve returns a program that serves routes, once it does.
func (k *Kit) Serve(routes []rpc.Route, change ...func(*rpc.Options)) *Peer {
	k.tb.Helper()
	p := k.dial("worker", change)
	ctx, cancel := context.WithCancel(context.WithoutCancel(k.tb.Context()))
	p.stop, p.served = cancel, make(chan error, 1)
	go func() { p.served <- p.Serve(ctx, routes...) }()
	Eventually(k.tb, "the worker serves", startPatience, func() bool { return p.Serving() == nil })
	return p
}

// startPatience is for a broker that has just been started.
const startPatience = 30 * time.Second

func (k *Kit) dial(name string, change []func(*rpc.Options)) *Peer {
	k.tb.Helper()
	p := &Peer{metrics: prometheus.NewRegistry(), log: &journal{}}
	o := rpc.Options{
		Service: name, Metrics: p.metrics,
		Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	conn, err := rpc.Dial(k.Proxy.URL(), o)
	if err != nil {
		k.tb.Fatal(err)
	}
	p.Conn = conn
	k.tb.Cleanup(func() {
		p.Stop(k.tb)
		if k.tb.Failed() {
			k.tb.Logf("log of %s, its end:\n%s", name, p.log.tail())
		}
	})
	return p
}

// Stop ends the program as a SIGTERM does: it stops serving, drains and closes.
func (p *Peer) Stop(tb testing.TB) {
	tb.Helper()
	p.close.Do(func() {
		if p.stop != nil {
			p.stop()
			if err := <-p.served; err != nil {
				tb.Errorf("serve: %v", err)
			}
		}
		if err := p.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Logf("close: %v", err)
		}
	})
}

// Metric returns the sum of the counters or gauges, or the number of the
// observations, of matriq_rpc_NAME; of those with the labels, pairs of a name and
// a value, where some are given.
func (p *Peer) Metric(tb testing.TB, name string, labels ...string) float64 {
	tb.Helper()
	families, err := p.metrics.Gather()
	if err != nil {
		tb.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != "matriq_rpc_"+name {
			continue
		}
		for _, m := range family.GetMetric() {
			if has(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	values := make(map[string]string)
	for _, pair := range m.GetLabel() {
		values[pair.GetName()] = pair.GetValue()
	}
	for i := 0; i+1 < len(labels); i += 2 {
		if values[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}

// Log returns what the program has logged.
func (p *Peer) Log() string { return p.log.String() }

// journal collects a log.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func (j *journal) tail() string {
	s := j.String()
	return s[max(0, len(s)-4000):]
}
