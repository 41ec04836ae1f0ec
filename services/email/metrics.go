package email

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/rpc"
)

// What became of an attempt at a mail.
const (
	resultSent     = "sent"     // a mail server took charge of it
	resultRepeat   = "repeat"   // it was out already
	resultDecoy    = "decoy"    // there was nothing to send
	resultExpired  = "expired"  // its code had died
	resultClaimed  = "claimed"  // another worker was at it
	resultDeferred = "deferred" // another attempt is due
	resultRefused  = "refused"  // it is parked
)

// resultOf names the failure of an attempt.
func resultOf(err error) string {
	switch {
	case errors.Is(err, ErrExpired):
		return resultExpired
	case errors.Is(err, ErrClaimed):
		return resultClaimed
	case errors.Is(err, rpc.ErrPermanent):
		return resultRefused
	}
	return resultDeferred
}

// counts are the service's part of the funnel, and what became of its mails.
type counts struct {
	mailed, confirmed prometheus.Counter
	mails             *prometheus.CounterVec
	lag               prometheus.Histogram
}

func newCounts(metrics prometheus.Registerer) (counts, error) {
	funnel := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_funnel_total",
		Help: "How many got to each step of a registration.",
	}, []string{"step"})
	mails := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_mails_total",
		Help: "Attempts at mails by lane and by what became of them.",
	}, []string{"lane", "result"})
	lag := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "matriq_mail_lag_seconds",
		Help:    "From the making of a code until a mail server took charge of it.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600},
	})
	if err := errors.Join(metrics.Register(funnel), metrics.Register(mails), metrics.Register(lag)); err != nil {
		return counts{}, fmt.Errorf("register metrics: %w", err)
	}
	return counts{
		mailed:    funnel.WithLabelValues("mailed"),
		confirmed: funnel.WithLabelValues("confirmed"),
		mails:     mails,
		lag:       lag,
	}, nil
}

func (c counts) mail(lane Lane, result string) {
	c.mails.WithLabelValues(string(lane), result).Inc()
}
