package redisconn

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Observe registers how many connections the client's pool has, how many are in
// use, and how often none was free in time.
func Observe(client redis.UniversalClient, metrics prometheus.Registerer) error {
	if err := metrics.Register(pool{client}); err != nil {
		return fmt.Errorf("register metrics of the pool: %w", err)
	}
	return nil
}

// pool is a [prometheus.Collector] of a client's statistics.
type pool struct{ client redis.UniversalClient }

var (
	poolConnections = prometheus.NewDesc("matriq_redis_pool_connections",
		"Connections to Redis, by whether a command has them.", []string{"state"}, nil)
	poolTimeouts = prometheus.NewDesc("matriq_redis_pool_timeouts_total",
		"Commands that failed because no connection was free in time.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (p pool) Describe(to chan<- *prometheus.Desc) {
	to <- poolConnections
	to <- poolTimeouts
}

// Collect implements [prometheus.Collector].
func (p pool) Collect(to chan<- prometheus.Metric) {
	stats := p.client.PoolStats()
	used := max(stats.TotalConns, stats.IdleConns) - stats.IdleConns // the two are read one after the other
	to <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(used), "used")
	to <- prometheus.MustNewConstMetric(poolConnections, prometheus.GaugeValue, float64(stats.IdleConns), "idle")
	to <- prometheus.MustNewConstMetric(poolTimeouts, prometheus.CounterValue, float64(stats.Timeouts))
}
