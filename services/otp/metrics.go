package otp

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are the service's part of the funnel, and what its limits refused.
// Decoys are counted like codes.
type counts struct {
	asked, proved prometheus.Counter
	refused       *prometheus.CounterVec
}

func newCounts(metrics prometheus.Registerer) (counts, error) {
	funnel := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_funnel_total",
		Help: "How many got to each step of a registration.",
	}, []string{"step"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_otp_refused_total",
		Help: "Requests for a code, and guesses, that a limit refused, by reason.",
	}, []string{"reason"})
	if err := errors.Join(metrics.Register(funnel), metrics.Register(refused)); err != nil {
		return counts{}, fmt.Errorf("register metrics: %w", err)
	}
	return counts{
		asked:   funnel.WithLabelValues("asked"),
		proved:  funnel.WithLabelValues("proved"),
		refused: refused,
	}, nil
}
