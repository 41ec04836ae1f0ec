package student

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are the service's part of the funnel.
type counts struct {
	registered prometheus.Counter
}

func newCounts(metrics prometheus.Registerer) (counts, error) {
	funnel := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_funnel_total",
		Help: "How many got to each step of a registration.",
	}, []string{"step"})
	if err := metrics.Register(funnel); err != nil {
		return counts{}, fmt.Errorf("register metrics: %w", err)
	}
	return counts{registered: funnel.WithLabelValues("registered")}, nil
}
