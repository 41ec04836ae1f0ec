package otp_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/keyring"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
	"matriq/services/otp"
)

func TestService_provesAnAddress(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, "Somchai.J@KU.ac.th")
	reply, err := b.create(t.Context(), " somchai.j@ku.AC.TH ")
	if err != nil || !reply.Eligible || reply.Code.ExpiresIn != 600 || reply.Code.ResendAfter != 60 || len(reply.Code.Ref) != 3 {
		t.Fatalf("create: %+v, %v", reply, err)
	}
	mail, err := b.keys.Open(reply.Code.Sealed, reply.Code.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if mail.Kind != seal.Code || mail.Email != "Somchai.J@KU.ac.th" || len(mail.Code) != 6 || mail.Ref != reply.Code.Ref {
		t.Errorf("the envelope holds %+v", mail)
	}
	if !mail.Issued.Equal(start()) || !mail.Expires.Equal(start().Add(10*time.Minute)) {
		t.Errorf("the code lives from %v to %v", mail.Issued, mail.Expires)
	}
	want := otpapi.StatusReply{Ref: mail.Ref, ExpiresIn: 600, ResendAfter: 60, AttemptsLeft: 5}
	if got := b.status(t, "somchai.j@ku.ac.th"); got != want {
		t.Errorf("status %+v, want %+v", got, want)
	}
	if result, err := b.authen(t.Context(), "SOMCHAI.J@ku.ac.th", mail.Code); result != 1 || err != nil {
		t.Fatalf("authen: %d, %v", result, err)
	}
	if result, err := b.authen(t.Context(), "somchai.j@ku.ac.th", mail.Code); result != 0 || err != nil {
		t.Errorf("the same again: %d, %v", result, err)
	}
	want = otpapi.StatusReply{ResendAfter: 60, Verified: true, Email: "Somchai.J@KU.ac.th"}
	if got := b.status(t, "somchai.j@ku.ac.th"); got != want {
		t.Errorf("status %+v, want %+v", got, want)
	}
}

func TestService_badAddress(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	for name, call := range map[string]func(context.Context, string) error{
		"create": func(ctx context.Context, email string) error { _, err := b.create(ctx, email); return err },
		"authen": func(ctx context.Context, email string) error { _, err := b.authen(ctx, email, right); return err },
		"prove":  func(ctx context.Context, email string) error { _, err := b.prove(ctx, email, right); return err },
		"status": func(ctx context.Context, email string) error {
			_, err := otpapi.Status.Call(ctx, b.conn, otpapi.EmailRequest{Email: email})
			return err
		},
	} {
		for _, email := range []string{"", "a", "a@x", "a@x.th\r\nBcc: b@x.th", "สมชาย@x.th"} {
			if err := call(t.Context(), email); rpc.CodeOf(err) != rpc.InvalidArgument || rpc.ReasonOf(err) != "bad_email" {
				t.Errorf("%s(%q): %v, want bad_email", name, email, err)
			}
		}
	}
	if keys := b.server.Keys(); len(keys) != 0 {
		t.Errorf("bad addresses left %v", keys)
	}
}

// What cannot be a code is refused and is no guess.
func TestService_badCode(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	mail := b.open(t, b.who)
	for _, code := range []string{"", "12345", "12345678901", "12345a", " " + mail.Code, mail.Code + "\n", "๐๑๒๓๔๕"} {
		if _, err := b.authen(t.Context(), b.who, code); rpc.CodeOf(err) != rpc.InvalidArgument || rpc.ReasonOf(err) != "bad_otp" {
			t.Errorf("authen %q: %v, want bad_otp", code, err)
		}
	}
	if got := b.status(t, b.who).AttemptsLeft; got != 5 {
		t.Errorf("%d attempts are left, want 5", got)
	}
}

// The reply for a decoy cannot be told from that for a code.
func TestService_decoys(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, "listed@ku.ac.th", "Registered@ku.ac.th")
	if err := otpapi.Retire.Send(t.Context(), b.conn, otpapi.EmailRequest{Email: "registered@ku.ac.th"}); err != nil {
		t.Fatal(err)
	}
	await(t, b.retired)
	lengths := map[int]bool{}
	for email, want := range map[string]seal.Envelope{
		"listed@ku.ac.th":     {Kind: seal.Code, Email: "listed@ku.ac.th"},
		"registered@ku.ac.th": {Kind: seal.DecoyRegistered, Email: "Registered@ku.ac.th"},
		"unlisted@ku.ac.th":   {Kind: seal.DecoyUnlisted},
	} {
		reply, err := b.create(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		lengths[len(body)] = true
		mail, err := b.keys.Open(reply.Code.Sealed, reply.Code.Ref)
		if err != nil {
			t.Fatal(err)
		}
		if mail.Kind != want.Kind || mail.Email != want.Email || (mail.Code == "") != (want.Kind != seal.Code) {
			t.Errorf("%s: the envelope holds %+v", email, mail)
		}
		if mail.Code == right {
			continue // one in a million
		}
		if result, err := b.authen(t.Context(), email, right); result != 0 || err != nil {
			t.Errorf("%s: a wrong guess: %d, %v", email, result, err)
		}
		status := b.status(t, email)
		if status.Ref != reply.Code.Ref || status.AttemptsLeft != 4 || status.ExpiresIn != 600 || status.Verified {
			t.Errorf("%s: status %+v", email, status)
		}
	}
	if len(lengths) != 1 {
		t.Errorf("replies have the lengths %v", lengths)
	}
}

func TestService_disclosure(t *testing.T) {
	t.Parallel()
	b := serve(t, func(r *otp.Rules) { r.Disclose = true })
	b.list(t, "listed@ku.ac.th", "registered@ku.ac.th")
	if err := otpapi.Retire.Send(t.Context(), b.conn, otpapi.EmailRequest{Email: "registered@ku.ac.th"}); err != nil {
		t.Fatal(err)
	}
	await(t, b.retired)
	for email, want := range map[string]bool{"listed@ku.ac.th": true, "registered@ku.ac.th": false, "unlisted@ku.ac.th": false} {
		if reply, err := b.create(t.Context(), email); err != nil || reply.Eligible != want {
			t.Errorf("%s: %+v, %v, want %v", email, reply, err, want)
		}
	}
}

func TestService_limits(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	b.open(t, b.who)
	_, err := b.create(t.Context(), b.who)
	if failure, ok := errors.AsType[*rpc.Error](err); !ok || failure.Code != rpc.ResourceExhausted || failure.Reason != "resend_too_soon" || failure.RetryAfter != time.Minute {
		t.Errorf("too soon: %v", err)
	}
	for range 4 {
		b.later(t, time.Hour)
		b.open(t, b.who)
		for range 5 {
			if result, err := b.authen(t.Context(), b.who, "0000000"); result != 0 || err != nil {
				t.Fatalf("authen: %d, %v", result, err)
			}
		}
	}
	b.later(t, time.Hour)
	if _, err := b.create(t.Context(), b.who); rpc.ReasonOf(err) != "address_locked" {
		t.Errorf("after twenty failures: %v, want address_locked", err)
	}
}

// Sources are counted by network, those on the list of exceptions are not, and
// neither is who comes without a source.
func TestService_sources(t *testing.T) {
	t.Parallel()
	b := serve(t, func(r *otp.Rules) { r.SourceLimit, r.SourceAllow = 3, "158.108.0.0/16" })
	from := func(ip string) error {
		_, err := b.create(rpc.WithMeta(t.Context(), rpc.Meta{ClientIP: ip}), address())
		return err
	}
	for _, ip := range []string{"192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8::3"} {
		if err := from(ip); err != nil {
			t.Fatalf("from %s: %v", ip, err)
		}
	}
	for _, ip := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::4", "2001:db8:0:0:ffff::1"} {
		err := from(ip)
		if failure, ok := errors.AsType[*rpc.Error](err); !ok || failure.Code != rpc.ResourceExhausted || failure.Reason != "source_limit" || failure.RetryAfter != 10*time.Minute {
			t.Errorf("from %s: %v, want source_limit", ip, err)
		}
	}
	for _, ip := range []string{"192.0.2.2", "2001:db8:0:1::1"} {
		if err := from(ip); err != nil {
			t.Errorf("from %s: %v", ip, err)
		}
	}
	for range 5 {
		if err := errors.Join(from("158.108.4.4"), from("")); err != nil {
			t.Errorf("from a source that is not counted: %v", err)
		}
	}
}

// Guesses are counted by the same sources, with the same exceptions.
func TestService_guessesBySource(t *testing.T) {
	t.Parallel()
	b := serve(t, func(r *otp.Rules) { r.SourceGuessLimit, r.SourceAllow = 2, "158.108.0.0/16" })
	from := func(ip string) error {
		_, err := b.authen(rpc.WithMeta(t.Context(), rpc.Meta{ClientIP: ip}), address(), wrong)
		return err
	}
	for _, ip := range []string{"192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::2", "158.108.4.4", "158.108.4.4", "158.108.4.4", "", "", ""} {
		if err := from(ip); err != nil {
			t.Fatalf("from %q: %v", ip, err)
		}
	}
	for _, ip := range []string{"192.0.2.1", "2001:db8::3"} {
		if failure, ok := errors.AsType[*rpc.Error](from(ip)); !ok || failure.Code != rpc.ResourceExhausted || failure.Reason != "source_limit" || failure.RetryAfter != 10*time.Minute {
			t.Errorf("from %s: %v, want source_limit", ip, failure)
		}
	}
}

func TestService_unlock(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	who := address()
	if _, err := b.create(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		reply, err := otpapi.Unlock.Call(t.Context(), b.conn, otpapi.EmailRequest{Email: strings.ToUpper(who)})
		if err != nil || reply.Unlocked != want {
			t.Fatalf("unlock: %+v, %v; want %v", reply, err, want)
		}
	}
	if _, err := b.create(t.Context(), who); err != nil {
		t.Errorf("create after unlock: %v", err)
	}
	if _, err := otpapi.Unlock.Call(t.Context(), b.conn, otpapi.EmailRequest{Email: "nobody"}); rpc.CodeOf(err) != rpc.InvalidArgument {
		t.Errorf("unlock of no address: %v", err)
	}
}

func TestService_import(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	long := strings.Repeat("ก", 300)
	got := b.list(t, "a@ku.ac.th", "", "A@KU.ac.th", "b@ku.ac.th ", "no address", long, "a@ku.ac.th", "a+1@ku.ac.th")
	if got.Added != 3 || got.Present != 2 {
		t.Errorf("%d added and %d present, want 3 and 2", got.Added, got.Present)
	}
	want := []otpapi.Rejected{
		{Row: 2, Value: "", Reason: "bad_email"},
		{Row: 5, Value: "no address", Reason: "bad_email"},
		{Row: 6, Value: strings.Repeat("ก", 100), Reason: "bad_email"},
	}
	if !slices.Equal(got.Rejected, want) {
		t.Errorf("rejected %+v, want %+v", got.Rejected, want)
	}
	again := b.list(t, "b@ku.ac.th", "c@ku.ac.th")
	if again.Added != 1 || again.Present != 1 || again.Rejected == nil {
		t.Errorf("a second list: %+v", again)
	}
	if mail := b.open(t, "a@ku.ac.th"); mail.Email != "a@ku.ac.th" {
		t.Errorf("mail goes to %s", mail.Email)
	}
}

func TestService_importAtOnce(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	rows := make([]string, otpapi.MaxImport)
	for i := range rows {
		rows[i] = address()
	}
	if got := b.list(t, rows...); got.Added != otpapi.MaxImport {
		t.Errorf("%d added, want %d", got.Added, otpapi.MaxImport)
	}
	_, err := otpapi.Import.Call(t.Context(), b.conn, otpapi.ImportRequest{Emails: append(rows, address())})
	if rpc.CodeOf(err) != rpc.InvalidArgument || rpc.ReasonOf(err) != "too_many" {
		t.Errorf("one more: %v, want too_many", err)
	}
}

func TestService_retire(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	mail := b.open(t, b.who)
	if result, err := b.authen(t.Context(), b.who, mail.Code); result != 1 || err != nil {
		t.Fatalf("authen: %d, %v", result, err)
	}
	for range 2 { // the cast is delivered at least once
		if err := otpapi.Retire.Send(rpc.WithKey(t.Context(), "registration-7"), b.conn, otpapi.EmailRequest{Email: b.who}); err != nil {
			t.Fatal(err)
		}
		if e := await(t, b.retired); e.Key != "registration-7" || !e.At.Equal(start()) {
			t.Errorf("retired %+v", e)
		}
		b.later(t, time.Minute)
	}
	if !b.status(t, b.who).Verified {
		t.Error("the proof was taken back")
	}
	if mail := b.open(t, b.who); mail.Kind != seal.DecoyRegistered || mail.Code != "" {
		t.Errorf("a registered address gets %+v", mail)
	}
}

func TestService_delete(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	mail := b.open(t, b.who)
	// As a call, which Nameko's clients may make, it replies when it is done.
	if err := otpapi.Delete.Send(t.Context(), b.conn, otpapi.EmailRequest{Email: b.who}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return b.status(t, b.who).Ref == "" })
	if result, err := b.authen(t.Context(), b.who, mail.Code); result != 0 || err != nil {
		t.Errorf("authen: %d, %v", result, err)
	}
}

// While Redis is away every call fails at once, and nothing is accepted.
func TestService_storeDown(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	mail := b.open(t, b.who)
	b.server.SetError("LOADING Redis is loading the dataset in memory")
	for name, call := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error { _, err := b.create(ctx, b.who); return err },
		"authen": func(ctx context.Context) error {
			result, err := b.authen(ctx, b.who, mail.Code)
			if result != 0 {
				t.Errorf("authen: %d", result)
			}
			return err
		},
		"prove": func(ctx context.Context) error {
			reply, err := b.prove(ctx, b.who, mail.Code)
			if reply != (otpapi.ProveReply{}) {
				t.Errorf("prove: %+v", reply)
			}
			return err
		},
		"status": func(ctx context.Context) error {
			_, err := otpapi.Status.Call(ctx, b.conn, otpapi.EmailRequest{Email: b.who})
			return err
		},
		"import": func(ctx context.Context) error {
			_, err := otpapi.Import.Call(ctx, b.conn, otpapi.ImportRequest{Emails: []string{b.who}})
			return err
		},
	} {
		err := call(t.Context())
		failure, ok := errors.AsType[*rpc.Error](err)
		if !ok || failure.Code != rpc.Unavailable || failure.Reason != "unavailable" {
			t.Errorf("%s: %v, want unavailable", name, err)
			continue
		}
		if strings.Contains(failure.Message, "LOADING") {
			t.Errorf("%s: the caller reads %q", name, failure.Message)
		}
	}
	b.server.SetError("")
	if result, err := b.authen(t.Context(), b.who, mail.Code); result != 1 || err != nil {
		t.Errorf("when it is back: %d, %v", result, err)
	}
}

// The log has what went wrong, and neither a code nor an address.
func TestService_logsNoSecret(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	mail := b.open(t, b.who)
	if _, err := b.authen(t.Context(), b.who, "0000000"); err != nil {
		t.Fatal(err)
	}
	b.server.SetError("MISCONF Redis is configured to save RDB snapshots")
	if _, err := b.authen(t.Context(), b.who, mail.Code); err == nil {
		t.Fatal("accepted without a store")
	}
	if err := otpapi.Retire.Send(t.Context(), b.conn, otpapi.EmailRequest{Email: b.who}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return strings.Count(b.log.String(), "MISCONF") >= 2 })
	b.server.SetError("")
	local, _, _ := strings.Cut(b.who, "@")
	for _, secret := range []string{b.who, local, mail.Code, "0000000"} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, b.log)
		}
	}
}

// Serve serves until it is asked to stop.
func TestService_Serve(t *testing.T) {
	t.Parallel()
	r := rules(t)
	service, err := otp.New(otp.NewStore(inMemory(t).client, r), r, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	serving := make(chan struct{})
	conn := rpc.NewMemoryBroker().Connect(rpc.Options{Service: "otp", OnServe: func() { close(serving) }})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Serve(ctx, conn) }()
	await(t, serving)
	for _, check := range service.Checks(conn) {
		if err := check.Ready(t.Context()); err != nil {
			t.Errorf("%s is not ready: %v", check.Name, err)
		}
	}
	if _, err := otpapi.Status.Call(t.Context(), conn, otpapi.EmailRequest{Email: address()}); err != nil {
		t.Errorf("status: %v", err)
	}
	stop()
	if err := await(t, ended); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestService_funnel(t *testing.T) {
	t.Parallel()
	b := serve(t, nil)
	b.list(t, b.who)
	mail := b.open(t, b.who)
	if _, err := b.create(t.Context(), b.who); err == nil {
		t.Fatal("a second code at once")
	}
	if _, err := b.authen(t.Context(), b.who, "0000000"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.authen(t.Context(), b.who, mail.Code); err != nil {
		t.Fatal(err)
	}
	if err := testutil.GatherAndCompare(b.metrics, strings.NewReader(`
# HELP matriq_funnel_total How many got to each step of a registration.
# TYPE matriq_funnel_total counter
matriq_funnel_total{step="asked"} 1
matriq_funnel_total{step="proved"} 1
# HELP matriq_otp_refused_total Requests for a code, and guesses, that a limit refused, by reason.
# TYPE matriq_otp_refused_total counter
matriq_otp_refused_total{reason="resend_too_soon"} 1
`), "matriq_funnel_total", "matriq_otp_refused_total"); err != nil {
		t.Error(err)
	}
}

func TestNew_refuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*otp.Rules){
		"no pepper":     func(r *otp.Rules) { r.Pepper = "" },
		"no seal key":   func(r *otp.Rules) { r.SealKey = "" },
		"bad proof key": func(r *otp.Rules) { r.ProofKey = "x" },
	} {
		r := rules(t)
		change(&r)
		if _, err := otp.New(otp.NewStore(nil, r), r, prometheus.NewRegistry()); !errors.Is(err, keyring.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}

// await returns what arrives, within the time that a hurried machine takes.
func await[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("nothing arrived")
	}
	panic("unreachable")
}

const patience = 20 * time.Second

// eventually polls for what a cast brings about.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("it did not come about")
		}
	}
}
