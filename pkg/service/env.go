package service

import (
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Env is what a program is given: who it is, where it logs and counts, and its
// settings. It is copied freely.
type Env struct {
	// Name is the service's name.
	Name string
	// Instance tells this process from the other replicas.
	Instance string
	// Version is the version of the build.
	Version string
	// Log writes the program's log; service and instance are in every line, and
	// the request ID where the context has one.
	Log *slog.Logger
	// Metrics is what /metrics shows.
	Metrics *prometheus.Registry

	vars   map[string]string
	common Common
	faults Faults
}

// Common are the settings that every program has.
type Common struct {
	LogLevel   slog.Level    `env:"LOG_LEVEL" envDefault:"info" desc:"least level that is logged: debug, info, warn or error"`
	LogFormat  string        `env:"LOG_FORMAT" envDefault:"json" desc:"form of the log on stderr: json or text"`
	AdminAddr  string        `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics; also where healthcheck asks"`
	Pprof      bool          `env:"PPROF" envDefault:"false" desc:"serve /debug/pprof on ADMIN_ADDR"`
	DrainDelay time.Duration `env:"DRAIN_DELAY" envDefault:"3s" desc:"how long HTTP is still served after SIGTERM, so that the edge learns of the stop first"`
	Sched      string        `env:"SCHED_POLICY" envDefault:"batch" desc:"how Linux schedules the program: batch lets others finish what they are at, which serves more people where processors are short; other as any program"`
	Slack      time.Duration `env:"TIMER_SLACK" envDefault:"5ms" desc:"how late Linux may wake a thread of the program that sleeps: so it wakes several together, and Go's watchman less often, which spares processors; 0: as it was started"`
	OTLP       string        `env:"OTEL_EXPORTER_OTLP_ENDPOINT" desc:"base URL of an OpenTelemetry collector (OTLP over HTTP); empty: no traces"`
}

// Validate implements [Validator].
func (c Common) Validate() []error {
	var faults []error
	if c.LogFormat != "json" && c.LogFormat != "text" {
		faults = append(faults, Fault{Setting: "LOG_FORMAT", Problem: "is neither json nor text", Cure: "write json or text"})
	}
	if c.Sched != schedBatch && c.Sched != schedOther {
		faults = append(faults, Fault{Setting: "SCHED_POLICY", Problem: "is neither batch nor other", Cure: "write batch or other"})
	}
	if c.Slack < 0 || c.Slack > mostSlack {
		faults = append(faults, Fault{Setting: "TIMER_SLACK", Problem: "is not between 0 and " + mostSlack.String(), Cure: "write a duration such as 5ms, or 0"})
	}
	if c.DrainDelay < 0 {
		faults = append(faults, Fault{Setting: "DRAIN_DELAY", Problem: "is negative", Cure: "write a duration such as 3s"})
	}
	if _, err := tracesURL(c.OTLP); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// NewEnv returns the environment of a program whose settings are in vars; Main
// makes it from the process, suites and tests from a map. The registry is new
// and empty. Faults of the common settings are reported by [Env.Decode] and
// [Env.Serve].
func NewEnv(name string, vars map[string]string, log *slog.Logger) Env {
	instance := newInstance()
	e := Env{
		Name:     name,
		Instance: instance,
		Version:  buildVersion(),
		Log:      log.With(slog.String("service", name), slog.String("instance", instance)),
		Metrics:  prometheus.NewRegistry(),
		vars:     vars,
	}
	e.faults = decode(vars, &e.common)
	return e
}

// newInstance names the host, which in a container is the container, and adds
// enough chance to tell two processes of one host apart.
func newInstance() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return host + "-" + strings.ToLower(rand.Text()[:6])
}

// environment turns the form of [os.Environ] into a map.
func environment(environ []string) map[string]string {
	vars := make(map[string]string, len(environ))
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok {
			vars[name] = value
		}
	}
	return vars
}
