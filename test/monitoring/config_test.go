package monitoring_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"matriq/pkg/testenv"
	"matriq/test/harness"
)

// scrapeConfig is what the tests look at, and change, of prometheus.yml.
type scrapeConfig struct {
	JobName string `yaml:"job_name"`
	DNS     []struct {
		Names []string
		Type  string
		Port  int
	} `yaml:"dns_sd_configs"`
}

func scrapeConfigs(t *testing.T) []scrapeConfig {
	t.Helper()
	var config struct {
		Scrape []scrapeConfig `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus/prometheus.yml"), &config); err != nil {
		t.Fatal(err)
	}
	return config.Scrape
}

// targets tells for each name that the swarm would be asked for, and for its
// port, where its tasks are.
func targets(t *testing.T, s *harness.Suite, e edges) map[string][]string {
	t.Helper()
	found := map[string][]string{"tasks.edge": {e.visited.Admin, e.secure.Admin}, "tasks.rabbitmq": {testenv.AMQPMetrics(t)}}
	for _, service := range harness.Services {
		for i, p := range s.Replicas(service) {
			name := "tasks." + service
			if service == "email" {
				name = []string{"tasks.email-otp", "tasks.email-confirm"}[i]
			}
			found[name] = append(found[name], p.Admin)
		}
	}
	return found
}

// configure writes the deployed configuration to a file in dir, for a Prometheus
// at addr: with the suite's processes in place of the swarm's names, a scrape each
// second, and of a broker that others use only the suite's queues. All else, the
// relabelling and the rules, stays.
func configure(t *testing.T, dir, addr string, s *harness.Suite, e edges) string {
	t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal(read(t, "prometheus/prometheus.yml"), &config); err != nil {
		t.Fatal(err)
	}
	config["global"] = map[string]any{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
	config["rule_files"] = []string{deployed(t, "prometheus/rules/*.yml")}
	known := targets(t, s, e)
	for i, job := range scrapeConfigs(t) {
		raw := member[map[string]any](t, member[[]any](t, config["scrape_configs"])[i])
		if len(job.DNS) == 0 {
			raw["static_configs"] = []any{map[string]any{"targets": []string{addr}}}
			continue
		}
		var static []any
		for _, name := range job.DNS[0].Names {
			addrs, ok := known[name]
			if !ok {
				t.Fatalf("prometheus.yml asks for %s, which the suite does not have", name)
			}
			static = append(static, map[string]any{"targets": addrs, "labels": map[string]string{"__meta_dns_name": name}})
		}
		delete(raw, "dns_sd_configs")
		raw["static_configs"] = static
		if params, ok := raw["params"].(map[string]any); ok {
			params["vhost"] = []string{vhost(t, s)}
		}
	}
	text, err := json.Marshal(config) // which is YAML too
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func member[T any](t *testing.T, v any) T {
	t.Helper()
	m, ok := v.(T)
	if !ok {
		t.Fatalf("prometheus.yml has a %T, want a %T", v, m)
	}
	return m
}

func vhost(t *testing.T, s *harness.Suite) string {
	t.Helper()
	u, err := url.Parse(s.AMQPURL)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}
