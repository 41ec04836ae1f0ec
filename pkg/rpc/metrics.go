package rpc

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/metric"
)

// metrics has one set for each connection; several connections of one program
// share theirs through the registry.
type metrics struct {
	calls           *metric.Children[outcomeOf, prometheus.Observer]
	callsInFlight   prometheus.Gauge
	methods         *metric.Children[string, struct{}] // that were called
	repeats         *prometheus.CounterVec
	repliesDropped  prometheus.Counter
	unroutable      *prometheus.CounterVec
	casts           *metric.Children[outcomeOf, prometheus.Counter]
	handled         *metric.Children[outcomeOf, prometheus.Observer]
	handling        prometheus.Gauge
	panics          *prometheus.CounterVec
	expired         *prometheus.CounterVec
	retries         *prometheus.CounterVec
	parked          *prometheus.CounterVec
	repliesUnsent   prometheus.Counter
	connectionsLost prometheus.Counter
}

// outcomeOf is what messages are counted by. The kind of a call that is made is none.
type outcomeOf struct {
	method string
	kind   Kind
	code   string
}

// newMetrics registers with r, under the label program, unless it is nil.
func newMetrics(r prometheus.Registerer, program string) (*metrics, error) {
	reg := &registration{}
	if r != nil {
		reg.to = prometheus.WrapRegistererWith(prometheus.Labels{"program": program}, r)
	}
	calls := histogram(reg, "call_seconds", "Calls made, by outcome.", "method", "code")
	casts := counters(reg, "casts_total", "Casts and events sent, by outcome.", "method", "kind", "code")
	handled := histogram(reg, "handle_seconds", "Messages handled, by outcome.", "method", "kind", "code")
	m := &metrics{
		calls: metric.NewChildren(func(o outcomeOf) prometheus.Observer { return calls.WithLabelValues(o.method, o.code) }),
		casts: metric.NewChildren(func(o outcomeOf) prometheus.Counter {
			return casts.WithLabelValues(o.method, string(o.kind), o.code)
		}),
		handled: metric.NewChildren(func(o outcomeOf) prometheus.Observer {
			return handled.WithLabelValues(o.method, string(o.kind), o.code)
		}),
		callsInFlight:   gauge(reg, "calls_in_flight", "Calls that wait for their reply."),
		repeats:         counters(reg, "call_repeats_total", "Calls that the library made again.", "method"),
		repliesDropped:  counter(reg, "replies_dropped_total", "Replies that nobody waited for any more."),
		unroutable:      counters(reg, "unroutable_total", "Messages that no queue was there for.", "method"),
		handling:        gauge(reg, "handling", "Messages being handled."),
		panics:          counters(reg, "panics_total", "Handlers that panicked.", "method"),
		expired:         counters(reg, "expired_total", "Messages dropped because their deadline had passed.", "method", "kind"),
		retries:         counters(reg, "retries_total", "Failed attempts of casts and events that are tried again.", "method"),
		parked:          counters(reg, "parked_total", "Casts and events parked for an operator.", "method", "reason"),
		repliesUnsent:   counter(reg, "replies_unsent_total", "Replies that reached nobody: their caller had gone, or the broker did not take them."),
		connectionsLost: counter(reg, "connections_lost_total", "Connections to the broker that were lost."),
	}
	m.methods = metric.NewChildren(func(method string) (none struct{}) {
		m.repeats.WithLabelValues(method)
		m.unroutable.WithLabelValues(method)
		return none
	})
	return m, reg.err
}

// expect lets the counters of what seldom happens to a route begin at 0, so that
// the first time is seen as a rise.
func (m *metrics) expect(r Route) {
	m.panics.WithLabelValues(r.Target)
	m.expired.WithLabelValues(r.Target, string(r.Kind))
	if r.Kind == KindCall {
		return
	}
	m.retries.WithLabelValues(r.Target)
	for _, reason := range []string{parkedPermanent, parkedInvalid, parkedAttempts} {
		m.parked.WithLabelValues(r.Target, reason)
	}
}

// calling counts a call, and called its outcome. What seldom happens to the method
// begins at 0.
func (m *metrics) calling(method string) {
	m.callsInFlight.Inc()
	m.methods.Of(method)
}

func (m *metrics) called(method string, e *Error, took time.Duration) {
	m.callsInFlight.Dec()
	m.calls.Of(outcomeOf{method: method, code: codeLabel(e)}).Observe(took.Seconds())
}

func (m *metrics) cast(msg Message, e *Error) {
	m.casts.Of(outcomeOf{msg.Target, msg.Kind, codeLabel(e)}).Inc()
}

func codeLabel(e *Error) string {
	if e == nil {
		return "ok"
	}
	return string(e.Code)
}

const metricPrefix = "matriq_rpc_"

type registration struct {
	to  prometheus.Registerer // nil: none
	err error
}

// register returns c, or what an earlier connection registered in its place.
func register[C prometheus.Collector](r *registration, c C) C {
	if r.to == nil {
		return c
	}
	err := r.to.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	r.err = errors.Join(r.err, err)
	return c
}

func counter(r *registration, name, help string) prometheus.Counter {
	return register(r, prometheus.NewCounter(prometheus.CounterOpts{Name: metricPrefix + name, Help: help}))
}

func counters(r *registration, name, help string, labels ...string) *prometheus.CounterVec {
	return register(r, prometheus.NewCounterVec(prometheus.CounterOpts{Name: metricPrefix + name, Help: help}, labels))
}

func gauge(r *registration, name, help string) prometheus.Gauge {
	return register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: metricPrefix + name, Help: help}))
}

func histogram(r *registration, name, help string, labels ...string) *prometheus.HistogramVec {
	return register(r, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: metricPrefix + name, Help: help,
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, labels))
}
