package service

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// ObserveChecks registers matriq_ready: 1 for each check that passes, else 0. It
// asks them at every scrape, so that the metrics of a program also tell whether
// the servers it needs are there.
func ObserveChecks(metrics prometheus.Registerer, checks ...Check) error {
	if err := metrics.Register(checkCollector(checks)); err != nil {
		return fmt.Errorf("register metrics of the checks: %w", err)
	}
	return nil
}

// checkCollector is a [prometheus.Collector].
type checkCollector []Check

var readyMetric = prometheus.NewDesc("matriq_ready",
	"1 when the check passes: what /readyz tells.", []string{"check"}, nil)

// Describe implements [prometheus.Collector].
func (c checkCollector) Describe(to chan<- *prometheus.Desc) { to <- readyMetric }

// Collect implements [prometheus.Collector].
func (c checkCollector) Collect(to chan<- prometheus.Metric) {
	for _, check := range ask(context.Background(), c).Checks {
		value := 0.0
		if check.Ready {
			value = 1
		}
		to <- prometheus.MustNewConstMetric(readyMetric, prometheus.GaugeValue, value, check.Name)
	}
}
