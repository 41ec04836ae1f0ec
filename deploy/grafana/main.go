// Command grafana writes the dashboards that Grafana is provisioned with.
//
// A dashboard is a list of rows, a row a list of panels, and a panel says what it
// shows, why one looks at it, and the queries. The rest of Grafana's JSON follows
// from these: places, numbers, colours, the data source. Run it after a change:
//
//	go run ./deploy/grafana
//
// Every query is asked of a real Prometheus by the tests in test/monitoring.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	dir := filepath.Join("deploy", "grafana", "dashboards")
	if len(os.Args) == 2 {
		dir = os.Args[1]
	}
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

// all are the dashboards, in the order in which one looks at them.
func all() []dashboard {
	return []dashboard{opening(), registration(), traffic(), calls(), queues(), replicas()}
}

func write(dir string) error {
	for _, d := range all() {
		text, err := d.encode()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, d.UID+".json"), text, 0o644); err != nil { //nolint:gosec // G306: for Grafana to read
			return err
		}
	}
	return nil
}

// encode writes < and > as they are: the JSON is read by people too.
func (d dashboard) encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return text.Bytes(), err
}
