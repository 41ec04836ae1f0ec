package rpc

import (
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say who connects and how. The zero value of each field but Service is
// usable.
type Options struct {
	// Service is the program's name, such as "student". It is in the call ids
	// and the names of the reply queues.
	Service string
	// Instance is unique to the process; the host's name and a random part if
	// empty.
	Instance string
	// Version is what ping and describe tell.
	Version string
	// Log gets what stops here; nothing is logged if nil.
	Log *slog.Logger
	// Metrics registers the matriq_rpc_ metrics; none are kept if nil.
	Metrics prometheus.Registerer
	// Prefetch is how many messages of one queue are handled at a time;
	// [DefaultPrefetch] if zero.
	Prefetch int
	// RetryDelays are the waits before the second, third … attempt of a cast or
	// an event; it is parked when the attempt after the last one fails. 1s, 5s,
	// 30s, 2m and 10m if nil. All replicas of a service have the same.
	RetryDelays []time.Duration
	// HandlerTimeout bounds one attempt of a cast or an event; 5 minutes if
	// zero. A call is bounded by its caller's deadline and its method's timeout.
	HandlerTimeout time.Duration
	// CallTimeout bounds a call whose context has no deadline; 30s if zero.
	CallTimeout time.Duration
	// DrainTimeout is how long Serve waits for its handlers when it stops,
	// before it cancels their contexts; 10s if zero.
	DrainTimeout time.Duration
	// OnServe is called whenever Serve has declared everything and takes
	// messages; may be nil.
	OnServe func()
}

// DefaultPrefetch is the prefetch of whoever does not say another.
const DefaultPrefetch = 16

func defaultRetryDelays() []time.Duration {
	return []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}
}

func (o Options) withDefaults() Options {
	if o.Instance == "" {
		host, _ := os.Hostname() // without a name the random part has to do
		o.Instance = host + "-" + strings.ToLower(rand.Text()[:8])
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.RetryDelays == nil {
		o.RetryDelays = defaultRetryDelays()
	}
	if o.Prefetch == 0 {
		o.Prefetch = DefaultPrefetch
	}
	o.HandlerTimeout = orElse(o.HandlerTimeout, 5*time.Minute)
	o.CallTimeout = orElse(o.CallTimeout, 30*time.Second)
	o.DrainTimeout = orElse(o.DrainTimeout, 10*time.Second)
	return o
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
