package email_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/mailsink"
	"matriq/pkg/redisconn"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/seal"
	"matriq/services/email"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// rig is a worker between a broker in memory, a Redis and a mail server, with a
// subscriber to its event.
type rig struct {
	t      *testing.T
	broker *rpc.MemoryBroker
	redis  *miniredis.Miniredis
	sink   *mailsink.Sink
	keys   seal.Keys
	cfg    email.Config
	client *rpc.Conn
	events chan emailapi.SentEvent
	logged *output
	delays []time.Duration
}

// patiently lets the workers that come try again for a long time.
func (r *rig) patiently() { r.delays = slices.Repeat(r.delays, 1000) }

func newRig(t *testing.T) *rig {
	t.Helper()
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	r := &rig{
		t: t, broker: rpc.NewMemoryBroker(), redis: miniredis.RunT(t), sink: mailsink.New(mailsink.Options{}),
		events: make(chan emailapi.SentEvent, 100), logged: &output{},
		delays: []time.Duration{5 * time.Millisecond, 5 * time.Millisecond, 5 * time.Millisecond},
	}
	r.cfg = config(serve(t, r.sink))
	r.cfg.SealKey = base64.StdEncoding.EncodeToString(secret)
	var err error
	if r.keys, err = seal.ParseKeys(r.cfg.SealKey); err != nil {
		t.Fatal(err)
	}
	r.client = rpctest.Serve(t, r.broker, rpc.Options{Service: "student"},
		emailapi.Sent.On("student.on_emailed", func(ctx context.Context, e emailapi.SentEvent) error {
			if key := rpc.KeyFrom(ctx); key != e.Key {
				t.Errorf("the event of cast %q has the key %q: a repeat would not be known", e.Key, key)
			}
			r.events <- e
			return nil
		}))
	return r
}

// newLog returns a log in the rig's Redis.
func (r *rig) newLog() email.Log {
	r.t.Helper()
	client, err := redisconn.Open("redis://" + r.redis.Addr())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = client.Close() })
	return email.NewRedisLog(client, time.Hour)
}

// work starts a worker over log and returns its metrics.
func (r *rig) work(log email.Log) *prometheus.Registry {
	r.t.Helper()
	metrics := prometheus.NewRegistry()
	svc, err := email.New(newSMTP(r.t, r.cfg), log, r.cfg.Rules, slog.New(slog.NewJSONHandler(r.logged, nil)), metrics)
	if err != nil {
		r.t.Fatal(err)
	}
	o := rpc.Options{
		Service: "email", Log: slog.New(slog.NewJSONHandler(r.logged, nil)),
		RetryDelays: r.delays,
	}
	rpctest.Serve(r.t, r.broker, o, svc.Routes(r.client)...)
	return metrics
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

// envelope is what otp seals.
func envelope(kind seal.Kind, to string) seal.Envelope {
	now := time.Now()
	e := seal.Envelope{Kind: kind, Code: "042137", Email: to, Ref: "KTM", Issued: now.Add(-time.Second), Expires: now.Add(10 * time.Minute)}
	if kind != seal.Code {
		e.Code = ""
	}
	return e
}

func (r *rig) sealed(e seal.Envelope) emailapi.SendCodeArgs {
	r.t.Helper()
	sealed, err := r.keys.Seal(e)
	if err != nil {
		r.t.Fatal(err)
	}
	return emailapi.SendCodeArgs{OTP: otpapi.SealedCode{Sealed: sealed, Ref: e.Ref}, Email: "typed@x.th"}
}

func (r *rig) sendCode(ctx context.Context, e seal.Envelope) {
	r.t.Helper()
	if err := emailapi.SendCode.Send(ctx, r.client, r.sealed(e)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) confirm(ctx context.Context, args emailapi.SendConfirmationArgs) {
	r.t.Helper()
	if err := emailapi.SendConfirmation.Send(ctx, r.client, args); err != nil {
		r.t.Fatal(err)
	}
}

// mailTo waits for a mail to an address.
func (r *rig) mailTo(to string) mailsink.Message {
	r.t.Helper()
	m, err := r.sink.Wait(r.context(), func(m mailsink.Message) bool { return m.To == to })
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

func (r *rig) event() emailapi.SentEvent {
	r.t.Helper()
	select {
	case e := <-r.events:
		return e
	case <-r.context().Done():
		r.t.Fatal("no event came")
		return emailapi.SentEvent{}
	}
}

// parked waits for a message of service that was given up.
func (r *rig) parked(service string) rpc.Parked {
	r.t.Helper()
	var found rpc.Parked
	r.until("a parked message", func() bool {
		all, err := r.client.Parked(r.context(), service, 1)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(all) > 0 {
			found = all[0]
		}
		return len(all) > 0
	})
	return found
}

// attempts waits until so many attempts at mails of a lane had a result.
func (r *rig) attempts(metrics *prometheus.Registry, lane, result string, want float64) {
	r.t.Helper()
	r.until(lane+" "+result, func() bool { return value(metrics, "matriq_mails_total", lane, result) >= want })
}

func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	limit, tick := r.context(), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-limit.Done():
			r.t.Fatalf("no %s came to pass", what)
		}
	}
}

// value returns the counter with these label values, 0 when there is none.
func value(metrics *prometheus.Registry, name string, labels ...string) float64 {
	families, err := metrics.Gather()
	if err != nil {
		return -1
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var got []string
			for _, l := range m.GetLabel() {
				got = append(got, l.GetValue())
			}
			if family.GetName() == name && strings.Join(got, ",") == strings.Join(labels, ",") {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// lint holds the metrics to the habits of Prometheus.
func lint(t *testing.T, metrics *prometheus.Registry) {
	t.Helper()
	problems, err := testutil.GatherAndLint(metrics)
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}

// output is a log that can be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// never fails the test when a secret was logged.
func (o *output) never(t *testing.T, secrets ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, secret := range secrets {
		if strings.Contains(o.buf.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, o.buf.String())
		}
	}
}

func (o *output) has(t *testing.T, want string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !strings.Contains(o.buf.String(), want) {
		t.Errorf("the log lacks %q: %s", want, o.buf.String())
	}
}
