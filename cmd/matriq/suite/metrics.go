package suite

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// labelled adds the service's name to every metric of its registry that has none,
// as a scraper of separate processes would.
func labelled(name string, registry prometheus.Gatherer) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		families, err := registry.Gather()
		label := "service"
		for _, family := range families {
			for _, metric := range family.GetMetric() {
				if slices.ContainsFunc(metric.Label, func(l *dto.LabelPair) bool { return l.GetName() == label }) {
					continue
				}
				metric.Label = append(metric.Label, &dto.LabelPair{Name: &label, Value: &name})
			}
		}
		return families, err
	})
}
