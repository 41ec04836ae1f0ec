package outbox

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// measureEvery is how often the gauges are read from the database.
const measureEvery = 15 * time.Second

// metrics of an outbox. The gauges show the whole table, so every replica shows
// the same: take the maximum, not the sum.
type metrics struct {
	open    prometheus.Gauge
	oldest  prometheus.Gauge
	sends   prometheus.Counter
	resends prometheus.Counter
	done    *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "matriq_outbox_open", Help: "Casts whose closing event has not come.",
		}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "matriq_outbox_oldest_open_seconds", Help: "Age of the oldest open cast.",
		}),
		sends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "matriq_outbox_sends_total", Help: "Casts that the broker has stored, repeats included.",
		}),
		resends: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "matriq_outbox_resends_total", Help: "Casts sent again because no event closed them.",
		}),
		done: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "matriq_outbox_done_seconds",
			Help:    "From the commit that made a cast necessary until its receiver had done it, by target.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600},
		}, []string{"target"}),
	}
	if reg != nil {
		reg.MustRegister(m.open, m.oldest, m.sends, m.resends, m.done)
	}
	return m
}

func (m *metrics) sent(casts, resends int) {
	m.sends.Add(float64(casts))
	m.resends.Add(float64(resends))
}

// measure keeps the gauges true until ctx ends.
func (b *Outbox) measure(ctx context.Context) {
	for ctx.Err() == nil {
		if err := b.measureOnce(ctx); err != nil && ctx.Err() == nil {
			b.o.Log.WarnContext(ctx, "outbox not measured", slog.Any("error", err))
		}
		b.sleep(ctx, measureEvery)
	}
}

func (b *Outbox) measureOnce(ctx context.Context) error {
	var open int64
	var age sql.NullInt64
	err := b.db.QueryRowContext(ctx, b.db.SQL(`SELECT COUNT(*), $NOW - MIN(created_at) FROM outbox WHERE next_at IS NOT NULL`)).Scan(&open, &age)
	if err != nil {
		return err
	}
	b.metrics.open.Set(float64(open))
	b.metrics.oldest.Set(float64(max(age.Int64, 0)) / 1000)
	return nil
}
