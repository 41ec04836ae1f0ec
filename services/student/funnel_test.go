package student_test

import (
	"io"
	"strings"
)

// funnel is what /metrics shows after n registrations.
func funnel(n string) io.Reader {
	return strings.NewReader(`
# HELP matriq_funnel_total How many got to each step of a registration.
# TYPE matriq_funnel_total counter
matriq_funnel_total{step="registered"} ` + n + "\n")
}
