package otp_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/proof"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/rpctest"
	"matriq/pkg/seal"
	"matriq/services/otp"
)

// bench serves the service, so that tests call it through its contract.
type bench struct {
	world
	server  *miniredis.Miniredis
	conn    *rpc.Conn
	keys    seal.Keys
	proofs  proof.Keys
	metrics *prometheus.Registry
	// log has everything that was logged, at every level.
	log *record
	// retired gets the events that the service emits.
	retired chan otpapi.RetiredEvent
}

// serve starts a service by the default rules, altered by change.
func serve(t *testing.T, change func(*otp.Rules)) bench {
	t.Helper()
	r := rules(t)
	if change != nil {
		change(&r)
	}
	keys, err := seal.ParseKeys(r.SealKey)
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := proof.ParseKeys(r.ProofKey)
	if err != nil {
		t.Fatal(err)
	}
	b := bench{keys: keys, proofs: proofs, metrics: prometheus.NewRegistry(), log: &record{}, retired: make(chan otpapi.RetiredEvent, 1)}
	b.world, b.server = withServer(t)
	service, err := otp.New(otp.NewStore(b.client, r), r, b.metrics)
	if err != nil {
		t.Fatal(err)
	}
	var events later
	routes := append(service.Routes(&events), otpapi.Retired.On("probe.retired", func(_ context.Context, e otpapi.RetiredEvent) error {
		b.retired <- e
		return nil
	}))
	b.conn = rpctest.Serve(t, rpc.NewMemoryBroker(), rpc.Options{Service: "otp", Log: b.log.logger()}, routes...)
	events.Store(b.conn)
	return b
}

// later casts by a connection that is made after the routes.
type later struct{ atomic.Pointer[rpc.Conn] }

func (l *later) Cast(ctx context.Context, m rpc.Message) error { return l.Load().Cast(ctx, m) }

// record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (b bench) list(t *testing.T, rows ...string) otpapi.ImportReply {
	t.Helper()
	reply, err := otpapi.Import.Call(t.Context(), b.conn, otpapi.ImportRequest{Emails: rows})
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	return reply
}

func (b bench) create(ctx context.Context, email string) (otpapi.CreateReply, error) {
	return otpapi.Create.Call(ctx, b.conn, otpapi.EmailRequest{Email: email})
}

func (b bench) authen(ctx context.Context, email, code string) (int, error) {
	return otpapi.Authen.Call(ctx, b.conn, otpapi.AuthenRequest{Email: email, OTP: code})
}

func (b bench) prove(ctx context.Context, email, code string) (otpapi.ProveReply, error) {
	return otpapi.Prove.Call(ctx, b.conn, otpapi.AuthenRequest{Email: email, OTP: code})
}

func (b bench) status(t *testing.T, email string) otpapi.StatusReply {
	t.Helper()
	reply, err := otpapi.Status.Call(t.Context(), b.conn, otpapi.EmailRequest{Email: email})
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	return reply
}

// open asks for a code and opens its envelope, as the mail worker does.
func (b bench) open(t *testing.T, email string) seal.Envelope {
	t.Helper()
	reply, err := b.create(t.Context(), email)
	if err != nil || !reply.Eligible {
		t.Fatalf("create: %+v, %v", reply, err)
	}
	envelope, err := b.keys.Open(reply.Code.Sealed, reply.Code.Ref)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}
