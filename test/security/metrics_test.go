package security_test

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// counter adds up a metric over the replicas of a service: all its series whose
// labels hold every one of labels.
func (s *system) counter(t *testing.T, service, name string, labels ...string) float64 {
	t.Helper()
	sum := 0.0
	for _, p := range s.Replicas(service) {
		for line := range strings.Lines(fetch(t, "http://"+p.Admin+"/metrics")) {
			sum += valueOf(t, line, name, labels)
		}
	}
	return sum
}

// valueOf is the value of one line of metrics, 0 when it is another metric's.
func valueOf(t *testing.T, line, name string, labels []string) float64 {
	t.Helper()
	series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
	if rest, named := strings.CutPrefix(series, name); !ok || !named || rest != "" && rest[0] != '{' {
		return 0
	}
	for _, label := range labels {
		if !strings.Contains(series, label) {
			return 0
		}
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(n) {
		t.Fatalf("metric %q", line)
	}
	return n
}

// fetch returns the body at a URL.
func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
