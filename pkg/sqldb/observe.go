package sqldb

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Observe registers the pool's go_sql_ metrics under the label db_name: how many
// connections there are, how many are in use, and how long one was waited for.
func (db *DB) Observe(name string, metrics prometheus.Registerer) error {
	if err := metrics.Register(collectors.NewDBStatsCollector(db.DB, name)); err != nil {
		return fmt.Errorf("register metrics of the pool: %w", err)
	}
	return nil
}
