package email

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

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
	for _, lane := range []Lane{LaneCodes, LaneConfirmations} {
		for _, r := range results {
			mails.WithLabelValues(string(lane), string(r)) // at 0, so that the first one is seen as a rise
		}
	}
	return counts{
		mailed:    funnel.WithLabelValues("mailed"),
		confirmed: funnel.WithLabelValues("confirmed"),
		mails:     mails,
		lag:       lag,
	}, nil
}

// attempt counts one attempt: its result, else its failure.
func (c counts) attempt(lane Lane, r result, err error) {
	if err != nil {
		r = resultOf(err)
	}
	c.mails.WithLabelValues(string(lane), string(r)).Inc()
}
