package main

import (
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
	"github.com/prometheus/client_golang/prometheus"
)

// expiry is a collector of how long the certificate of a site is good. Caddy
// tells that nobody, and one of the operator's own is not renewed by itself.
type expiry struct {
	site         string
	begins, ends *prometheus.Desc
}

// watchCertificate adds the collector to the metrics of the config that is served.
// Without HTTPS there is none.
func watchCertificate() error {
	site, ok := os.LookupEnv("EDGE_SITE")
	if !ok || strings.Contains(site, "://") {
		return nil
	}
	labels := prometheus.Labels{"site": site}
	running := caddy.ActiveContext()
	return running.GetMetricsRegistry().Register(&expiry{
		site:   site,
		begins: prometheus.NewDesc("matriq_edge_certificate_begins_timestamp_seconds", "From when the certificate of the site is good; 0: there is none.", nil, labels),
		ends:   prometheus.NewDesc("matriq_edge_certificate_ends_timestamp_seconds", "Until when the certificate of the site is good; 0: there is none.", nil, labels),
	})
}

// Describe implements [prometheus.Collector].
func (c *expiry) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.begins
	descs <- c.ends
}

// Collect implements [prometheus.Collector]. Of several certificates, as when one
// was renewed, it tells of the one that is good for longest.
func (c *expiry) Collect(metrics chan<- prometheus.Metric) {
	var begins, ends int64
	for _, candidate := range caddytls.AllMatchingCertificates(c.site) {
		if leaf := candidate.Leaf; leaf != nil && leaf.NotAfter.Unix() > ends {
			begins, ends = leaf.NotBefore.Unix(), leaf.NotAfter.Unix()
		}
	}
	metrics <- prometheus.MustNewConstMetric(c.begins, prometheus.GaugeValue, float64(begins))
	metrics <- prometheus.MustNewConstMetric(c.ends, prometheus.GaugeValue, float64(ends))
}
