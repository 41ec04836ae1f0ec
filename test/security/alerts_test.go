package security_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// alerts is a Prometheus that looks at a system by the rules that are deployed.
type alerts struct{ url string }

// watchAlerts starts one, which ends with the test.
func (s *system) watchAlerts(t *testing.T) alerts {
	t.Helper()
	binary, _ := testenv.Prometheus(t)
	rules, err := filepath.Abs("../../deploy/prometheus/rules/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, service := range harness.Services {
		for _, p := range s.Replicas(service) {
			targets = append(targets, fmt.Sprintf("%q", p.Admin))
		}
	}
	dir, addr := t.TempDir(), testenv.Addr(t)
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 5s, evaluation_interval: 5s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: matriq, static_configs: [{targets: [%s]}]}]\n", rules, strings.Join(targets, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := harness.Launch("prometheus", binary, filepath.Join(dir, "log"), nil,
		"--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return alerts{"http://" + addr}
}

// fires fails the test unless an alert fires.
func (a alerts) fires(t *testing.T, name string) {
	t.Helper()
	query := url.Values{"query": {`ALERTS{alertstate="firing",alertname="` + name + `"}`}}.Encode()
	eventually(t, "the alert "+name+" fires", 30*time.Second, func() bool {
		return strings.Contains(fetch(t, a.url+"/api/v1/query?"+query), `"alertname":"`+name+`"`)
	})
}
