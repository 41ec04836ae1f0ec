package admission

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type counts struct{ refused prometheus.Counter }

// observe registers the metrics of g.
func (g *Gate) observe(o Options) {
	labels := prometheus.Labels{"service": o.Service}
	g.counts.refused = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "matriq_admission_refused_total", ConstLabels: labels,
		Help: "First steps turned away with 503 and a time to come again.",
	})
	if o.Metrics == nil {
		return
	}
	o.Metrics.MustRegister(g.counts.refused,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "matriq_admission_limit", ConstLabels: labels,
			Help: "Steps that may be under way before first steps are turned away.",
		}, func() float64 { limit, _ := g.state(); return float64(limit) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "matriq_admission_under_way", ConstLabels: labels,
			Help: "Steps under way, first and later ones.",
		}, func() float64 { _, underWay := g.state(); return float64(underWay) }))
}

func (g *Gate) state() (limit, underWay int) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit(now), g.underWay
}
