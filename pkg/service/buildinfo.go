package service

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// newBuildInfo is a metric that is always 1 and tells which version runs, so
// that a rolling update can be watched.
func newBuildInfo(version string) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "matriq_build_info", Help: "1, with the version of the program.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	info.Set(1)
	return info
}
