package monitoring_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"matriq/test/harness"
)

// Each query of each panel has an answer, each rule can be evaluated, and what an
// alert watches is there to be watched.
func TestSuite_IsSeen(t *testing.T) {
	t.Parallel()
	binary := harness.CompileEdge(t)
	s := startSuite(t)
	e := startEdges(t, binary, s)
	p := startPrometheus(t, s, e)
	drive(t, s, e, p)
	t.Run("panels", func(t *testing.T) { t.Parallel(); checkPanels(t, p) })
	t.Run("rules", func(t *testing.T) { t.Parallel(); checkRules(t, p) })
}

func checkPanels(t *testing.T, p *prometheus) {
	t.Helper()
	open := map[question]error{}
	for _, q := range questions(t) {
		open[q] = nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := harness.Poll(ctx, func() bool {
		for q := range open {
			if open[q] = p.answered(ctx, q.expr); open[q] == nil {
				delete(open, q)
			}
		}
		return len(open) == 0
	})
	if err == nil {
		return
	}
	for q, why := range open {
		t.Errorf("%s has no answer: %v\n%s", q.where, why, q.expr)
	}
}

// rule is what Prometheus tells of one.
type rule struct {
	Name, Query, Health, LastError string
}

func (p *prometheus) rules(ctx context.Context) ([]rule, error) {
	var data struct {
		Groups []struct{ Rules []rule }
	}
	if err := p.get(ctx, "/api/v1/rules", nil, &data); err != nil {
		return nil, err
	}
	var all []rule
	for _, group := range data.Groups {
		all = append(all, group.Rules...)
	}
	return all, nil
}

// metricName finds the metrics of an expression by how they are called here.
var metricName = regexp.MustCompile(`\b(?:(?:matriq|rabbitmq|caddy|go|process|scrape)_\w+|matriq:\w+|up)\b`)

func checkRules(t *testing.T, p *prometheus) {
	t.Helper()
	rules, err := p.rules(t.Context())
	if err != nil || len(rules) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	var metrics []string
	for _, r := range rules {
		if r.Health != "ok" || r.LastError != "" {
			t.Errorf("%s is %s: %s", r.Name, r.Health, r.LastError)
		}
		named := metricName.FindAllString(r.Query, -1)
		if len(named) == 0 && r.Query != "vector(1)" && r.Query != "vector(2)" {
			t.Errorf("%s looks at no metric: %s", r.Name, r.Query)
		}
		metrics = append(metrics, named...)
	}
	slices.Sort(metrics)
	for _, name := range slices.Compact(metrics) {
		if err := p.answered(t.Context(), name); err != nil {
			t.Errorf("alerts look at %s, which nobody has: %v", name, err)
		}
	}
}
