package monitoring_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"matriq/pkg/testenv"
)

// promtool knows what Prometheus would take, and tries each alert on made-up
// series.
func TestPromtool(t *testing.T) {
	t.Parallel()
	_, promtool := testenv.Prometheus(t)
	tests, err := filepath.Glob(deployed(t, "prometheus/tests/*.yml"))
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests of rules: %v", err)
	}
	for _, args := range [][]string{
		{"check", "config", deployed(t, "prometheus/prometheus.yml")},
		append([]string{"test", "rules"}, tests...),
	} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
}

// alert is one of the files in rules.
type alert struct {
	Alert       string
	Expr        string
	Record      string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	files, err := filepath.Glob(deployed(t, "prometheus/rules/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, file := range files {
		var content struct {
			Groups []struct{ Rules []alert }
		}
		if err := yaml.Unmarshal(read(t, "prometheus/rules/"+filepath.Base(file)), &content); err != nil {
			t.Fatal(err)
		}
		for _, group := range content.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// Whoever is woken is told what it is, what it means, and where the cure stands;
// and each alert was seen both silent and firing by its tests.
func TestAlerts_Form(t *testing.T) {
	t.Parallel()
	tests, err := filepath.Glob(deployed(t, "prometheus/tests/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var tried strings.Builder
	for _, file := range tests {
		tried.Write(read(t, "prometheus/tests/"+filepath.Base(file)))
	}
	runbook := string(read(t, "../docs/operations.md"))
	for _, a := range alerts(t) {
		if a.Alert == "" {
			continue
		}
		if !strings.Contains(runbook, "\n### "+a.Alert+"\n") {
			t.Errorf("docs/operations.md has no heading %s", a.Alert)
		}
		want := "docs/operations.md#" + strings.ToLower(a.Alert)
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" || a.Annotations["runbook_url"] != want {
			t.Errorf("%s has no summary, no description, or another runbook than %s", a.Alert, want)
		}
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", a.Alert, s)
		}
		for _, samples := range []string{"0", "[1-9]"} {
			pattern := fmt.Sprintf(`alertname="%s", alertstate="firing"\}\) or vector\(0\)', eval_time: \w+, exp_samples: \[\{value: %s`, a.Alert, samples)
			if !regexp.MustCompile(pattern).MatchString(tried.String()) {
				t.Errorf("no test has %s with the value %s", a.Alert, samples)
			}
		}
	}
}

// Every service that is scraped has a least number of replicas, and no other.
func TestReplicasLeast(t *testing.T) {
	t.Parallel()
	var scraped, counted []string
	for _, job := range scrapeConfigs(t) {
		for _, dns := range job.DNS {
			for _, name := range dns.Names {
				scraped = append(scraped, strings.TrimPrefix(name, "tasks."))
			}
		}
	}
	for _, a := range alerts(t) {
		if a.Record == "matriq:replicas_least" {
			counted = append(counted, a.Labels["job"])
		}
	}
	slices.Sort(scraped)
	slices.Sort(counted)
	if scraped = slices.Compact(scraped); !slices.Equal(scraped, counted) {
		t.Errorf("scraped are %v, counted are %v", scraped, counted)
	}
}

// QueueNearLimit knows the limit that the broker is given.
func TestQueueNearLimit(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`"max-length": (\d+)0,`).FindSubmatch(read(t, "rabbitmq/definitions.json"))
	if found == nil {
		t.Fatal("definitions.json has no max-length")
	}
	var tenth int
	if _, err := fmt.Sscan(string(found[1]), &tenth); err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts(t) {
		if want := fmt.Sprintf("> %d", 8*tenth); a.Alert == "QueueNearLimit" && !strings.HasSuffix(a.Expr, want) {
			t.Errorf("QueueNearLimit is %s, want %s: eight tenths of the limit", a.Expr, want)
		}
	}
}
