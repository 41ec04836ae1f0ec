package rpc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The names of everything on the broker. The first two and all that begins with
// rpc- or evt- are Nameko's, so that both kinds of services can share a queue.
const (
	// exchangeRPC carries requests under "service.method", and replies under
	// the key of the caller's reply queue.
	exchangeRPC = "nameko-rpc"
	// exchangeCast carries casts under "service.method", of programs that do not know
	// the queues. Those of this package go past it.
	exchangeCast = "matriq-cast"
	// exchangeDefault leads to the queue named by the key.
	exchangeDefault = ""
	// replyPrefix tells a reply_to that is the name of a queue from one that is a
	// routing key, as Nameko's are; it leads to no other kind of queue.
	replyPrefix = "rpc.reply-"
)

func requestQueue(service string) string  { return "rpc-" + service }
func callQueue(service string) string     { return service + ".call.v1" }
func workQueue(service string) string     { return service + ".work.v1" }
func parkingQueue(service string) string  { return service + ".parking" }
func eventExchange(source string) string  { return source + ".events" }
func replyQueue(service, k string) string { return replyPrefix + service + "-" + k }

func eventQueueOf(r Route) string {
	source, kind, _ := strings.Cut(r.Source, ".")
	return "evt-" + source + "-" + kind + "--" + r.Target
}

func retryQueue(service string, delay time.Duration) string {
	return service + ".retry.v1." + delayName(delay)
}

// delayName writes 2m where [time.Duration.String] writes 2m0s.
func delayName(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

const (
	// deliveryLimit is how often a cast may be handed out without ever being
	// settled, which happens when it kills its worker, before it is parked.
	deliveryLimit = int64(20)
	// parkingLimit replaces the 20 that newer brokers assume: looking at a
	// parked message counts as a delivery and must never be what loses it.
	parkingLimit = int64(1_000_000)
)

// callQueueLife is how long a call queue outlives its last worker. Nobody but workers
// of this package takes from it, so that a service that Nameko's workers serve from now
// on is reached once it has gone; until then its calls wait in vain. It is longer than
// any call waits.
const callQueueLife = time.Minute

// Topology is what a program needs the broker to have.
type Topology struct {
	Exchanges []Exchange
	Queues    []Queue
	Bindings  []Binding
}

// Exchange is a durable exchange.
type Exchange struct {
	Name, Kind string
}

// Queue is a durable queue with its declared arguments, by AMQP's names.
// Numbers are int64.
type Queue struct {
	Name string
	Args map[string]any
}

// Binding routes an exchange's messages with a matching key to a queue.
type Binding struct {
	Exchange, Key, Queue string
}

// TopologyOf returns what the broker has once routes are served with the
// default retry delays.
func TopologyOf(routes ...Route) Topology {
	return topologyOf(routes, defaultRetryDelays())
}

func topologyOf(routes []Route, delays []time.Duration) Topology {
	var t Topology
	for _, service := range servicesOf(routes) {
		t.addRequests(service)
		if slices.ContainsFunc(routes, func(r Route) bool { return r.Service() == service && r.Kind != KindCall }) {
			t.addWork(service, delays)
		}
	}
	for _, r := range routes {
		if r.Kind == KindEvent {
			t.addEvent(r)
		}
	}
	return t
}

// servicesOf returns the services of routes, in their order.
func servicesOf(routes []Route) []string {
	var services []string
	for _, r := range routes {
		if !slices.Contains(services, r.Service()) {
			services = append(services, r.Service())
		}
	}
	return services
}

// addRequests has no arguments on the queue that Nameko declares as well: it does so
// without, and the broker refuses any other.
func (t *Topology) addRequests(service string) {
	t.exchange(exchangeRPC)
	t.Queues = append(t.Queues, Queue{Name: requestQueue(service)},
		Queue{callQueue(service), map[string]any{"x-expires": callQueueLife.Milliseconds()}})
	t.Bindings = append(t.Bindings, Binding{exchangeRPC, service + ".*", requestQueue(service)})
}

// addWork dead-letters with at-least-once, which needs reject-publish: a retry
// is never lost on its way from one queue to the next.
func (t *Topology) addWork(service string, delays []time.Duration) {
	t.exchange(exchangeCast)
	work, parking := workQueue(service), parkingQueue(service)
	t.Queues = append(t.Queues,
		Queue{parking, map[string]any{"x-queue-type": "quorum", "x-delivery-limit": parkingLimit}},
		Queue{work, deadLettering(parking, map[string]any{"x-delivery-limit": deliveryLimit})})
	for i, d := range delays {
		if slices.Contains(delays[:i], d) {
			continue
		}
		t.Queues = append(t.Queues, Queue{retryQueue(service, d), deadLettering(work, map[string]any{"x-message-ttl": d.Milliseconds()})})
	}
	t.Bindings = append(t.Bindings, Binding{exchangeCast, service + ".*", work})
}

func deadLettering(to string, args map[string]any) map[string]any {
	maps.Copy(args, map[string]any{
		"x-queue-type":              "quorum",
		"x-dead-letter-exchange":    exchangeDefault,
		"x-dead-letter-routing-key": to,
		"x-dead-letter-strategy":    "at-least-once",
		"x-overflow":                "reject-publish",
	})
	return args
}

// addEvent has no arguments on the queue, like addRequests.
func (t *Topology) addEvent(r Route) {
	source, kind, _ := strings.Cut(r.Source, ".")
	queue := eventQueueOf(r)
	t.exchange(eventExchange(source))
	t.Queues = append(t.Queues, Queue{Name: queue})
	t.Bindings = append(t.Bindings, Binding{eventExchange(source), kind, queue})
}

func (t *Topology) exchange(name string) {
	x := Exchange{Name: name, Kind: "topic"}
	if !slices.Contains(t.Exchanges, x) {
		t.Exchanges = append(t.Exchanges, x)
	}
}

// String writes one line for each exchange, queue and binding.
func (t Topology) String() string {
	var s strings.Builder
	for _, x := range t.Exchanges {
		fmt.Fprintf(&s, "exchange %s %s\n", x.Name, x.Kind)
	}
	for _, q := range t.Queues {
		fmt.Fprintf(&s, "queue    %s%s\n", q.Name, argsString(q.Args))
	}
	for _, b := range t.Bindings {
		fmt.Fprintf(&s, "binding  %s %s -> %s\n", b.Exchange, b.Key, b.Queue)
	}
	return s.String()
}

func argsString(args map[string]any) string {
	var s strings.Builder
	for _, k := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(&s, " %s=%v", k, args[k])
	}
	return s.String()
}
