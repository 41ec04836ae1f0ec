package otpgateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/api/restapi"
)

// counts tell what became of the rows of imported lists.
type counts struct {
	added, present, rejected prometheus.Counter
}

func newCounts(metrics prometheus.Registerer) counts {
	rows := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "matriq_import_rows_total",
		Help: "Rows of imported lists, by what became of them.",
	}, []string{"result"})
	metrics.MustRegister(rows)
	return counts{
		added:    rows.WithLabelValues("added"),
		present:  rows.WithLabelValues("present"),
		rejected: rows.WithLabelValues("rejected"),
	}
}

func (c counts) add(report restapi.ImportReply) {
	c.added.Add(float64(report.Added))
	c.present.Add(float64(report.Present))
	c.rejected.Add(float64(len(report.Rejected)))
}
