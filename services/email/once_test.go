package email_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"matriq/pkg/mailsink"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
	"matriq/services/email"
)

func TestOnce_temporary(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mailsink.Fault{
		"4xx":            {Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 450, Times: 2},
		"login":          {Stage: mailsink.StageMail, Action: mailsink.Refuse, Code: 530, Times: 2},
		"cut":            {Stage: mailsink.StageData, Action: mailsink.Cut, Times: 2},
		"no greeting":    {Stage: mailsink.StageHello, Action: mailsink.Cut, Times: 2},
		"cut afterwards": {Stage: mailsink.StageData, Action: mailsink.AcceptAndCut, Times: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			metrics := r.work(r.newLog())
			r.sink.Inject(fault)
			r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
			if e := r.event(); e.Key != "k" {
				t.Errorf("event %+v", e)
			}
			if got := r.sink.Count(); got != 1 {
				t.Errorf("%d mails are out, want 1", got)
			}
			deferred := 2.0
			if fault.Times == 1 {
				deferred = 0
			}
			if got := value(metrics, "matriq_mails_total", "confirm", "deferred"); got != deferred {
				t.Errorf("%v attempts were deferred, want %v", got, deferred)
			}
		})
	}
}

// A mail server that hangs is given up after MAIL_TIMEOUT.
func TestOnce_timeout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Timeout = 50 * time.Millisecond
	metrics := r.work(r.newLog())
	remove := r.sink.Inject(mailsink.Fault{Stage: mailsink.StageData, Action: mailsink.Hang, Times: 1})
	defer remove()
	r.sendCode(r.context(), envelope(seal.Code, "a@x.th"))
	r.mailTo("a@x.th")
	r.attempts(metrics, "otp", "sent", 1)
	if got := value(metrics, "matriq_mails_total", "otp", "deferred"); got < 1 || r.sink.Count() != 1 {
		t.Errorf("%v attempts were deferred and %d mails are out", got, r.sink.Count())
	}
}

func TestOnce_refused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := r.work(r.newLog())
	r.sink.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, Action: mailsink.Refuse, Code: 550, Text: "<somchai@x.th>: user unknown"})
	r.sendCode(r.context(), envelope(seal.Code, "somchai@x.th"))
	p := r.parked("email_otp")
	if p.Reason != "permanent" || p.LastError != "failed_precondition: mail_refused" || p.Attempts != 1 {
		t.Errorf("parked as %q after %d attempts: %s", p.Reason, p.Attempts, p.LastError)
	}
	r.attempts(metrics, "otp", "refused", 1)
	r.logged.has(t, "550")
	r.logged.has(t, "user unknown")
	r.logged.never(t, "somchai", "042137")
}

// A mail that is refused now may be sent when an operator has mended the cause.
func TestOnce_replayed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(r.newLog())
	remove := r.sink.Inject(mailsink.Fault{Stage: mailsink.StageMail, Action: mailsink.Refuse, Code: 550})
	r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
	p := r.parked("email")
	remove()
	if err := r.client.Replay(r.context(), "email", p.ID); err != nil {
		t.Fatal(err)
	}
	if e := r.event(); e.Key != "k" || r.sink.Count() != 1 {
		t.Errorf("event %+v, %d mails are out", e, r.sink.Count())
	}
}

// A repeat of the cast sends no mail and tells again when the first went out.
func TestOnce_repeat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := r.work(r.newLog())
	for range 3 {
		r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
	}
	first := r.event()
	for range 2 {
		e := r.event()
		if e.Key != "k" || !e.At.Truncate(time.Millisecond).Equal(first.At.Truncate(time.Millisecond)) {
			t.Errorf("event %+v after %+v", e, first)
		}
	}
	if got := r.sink.Count(); got != 1 {
		t.Errorf("%d mails are out, want 1", got)
	}
	if got := value(metrics, "matriq_funnel_total", "confirmed"); got != 1 {
		t.Errorf("the funnel counts %v confirmed, want 1", got)
	}
}

// Keys tell mails apart and nothing else does.
func TestOnce_keys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(r.newLog())
	ids := map[string]bool{}
	for _, key := range []string{"k1", "k2"} {
		r.confirm(rpc.WithKey(r.context(), key), somchai(key+"@x.th"))
		ids[r.mailTo(key+"@x.th").Header.Get("Message-ID")] = true
	}
	// The same key on the other lane is another mail.
	r.sendCode(rpc.WithKey(r.context(), "k1"), envelope(seal.Code, "code@x.th"))
	ids[r.mailTo("code@x.th").Header.Get("Message-ID")] = true
	if len(ids) != 3 {
		t.Errorf("Message-IDs %v, want three", ids)
	}
}

// Two workers with the same cast: one sends, the other stands back.
func TestOnce_twoWorkers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.patiently()
	log := &rival{Log: r.newLog(), second: make(chan struct{})}
	first, second := r.work(log), r.work(log)
	r.broker.Duplicate(1)
	r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
	r.event()
	r.event() // also the one that stood back tells, in its next attempt
	if got := r.sink.Count(); got != 1 {
		t.Errorf("%d mails are out, want 1", got)
	}
	claimed := value(first, "matriq_mails_total", "confirm", "claimed") + value(second, "matriq_mails_total", "confirm", "claimed")
	if claimed < 1 {
		t.Error("nobody stood back")
	}
}

// rival lets the first worker go on when a second one has claimed in vain.
type rival struct {
	email.Log
	second chan struct{}
	once   sync.Once
}

func (l *rival) Claim(ctx context.Context, id, token string, lease time.Duration) (time.Time, error) {
	sent, err := l.Log.Claim(ctx, id, token, lease)
	if errors.Is(err, email.ErrClaimed) {
		l.once.Do(func() { close(l.second) })
		return sent, err
	}
	select {
	case <-l.second:
	case <-ctx.Done():
	}
	return sent, err
}

// A worker that dies right after its note: the cast comes back and finds it.
func TestOnce_diesAfterTheNote(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.patiently()
	log := &mortal{Log: r.newLog(), after: r.broker.Restart}
	r.work(log)
	r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
	if e := r.event(); e.Key != "k" {
		t.Errorf("event %+v", e)
	}
	r.until("second delivery", func() bool { return log.claims.Load() >= 2 })
	if got := r.sink.Count(); got != 1 {
		t.Errorf("%d mails are out, want 1", got)
	}
}

// A worker that dies between the 250 and its note leaves a claim. When it has
// lapsed the mail goes out again, under the same Message-ID: the one case in
// which a person gets two.
func TestOnce_diesBeforeTheNote(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.patiently()
	dead := make(chan struct{})
	defer close(dead)
	var deaths atomic.Int64
	log := &mortal{Log: r.newLog(), before: func() {
		if deaths.Add(1) == 1 {
			r.broker.Restart()
			<-dead
		}
	}}
	metrics := r.work(log)
	r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
	r.attempts(metrics, "confirm", "claimed", 1)
	if got := r.sink.Count(); got != 1 {
		t.Errorf("%d mails are out before the claim lapsed, want 1", got)
	}
	r.redis.FastForward(time.Hour)
	if e := r.event(); e.Key != "k" {
		t.Errorf("event %+v", e)
	}
	all := r.sink.Messages("a@x.th")
	if len(all) != 2 || all[0].Header.Get("Message-ID") != all[1].Header.Get("Message-ID") {
		t.Errorf("%d mails are out, want two with the same Message-ID", len(all))
	}
}

// mortal is a log whose worker meets its end about the note.
type mortal struct {
	email.Log
	claims        atomic.Int64
	before, after func()
	once          sync.Once
}

func (l *mortal) Claim(ctx context.Context, id, token string, lease time.Duration) (time.Time, error) {
	l.claims.Add(1)
	return l.Log.Claim(ctx, id, token, lease)
}

func (l *mortal) Note(ctx context.Context, id string, at time.Time) error {
	if l.before != nil {
		l.before()
	}
	err := l.Log.Note(ctx, id, at)
	if l.after != nil {
		l.once.Do(l.after)
	}
	return err
}

// Without the log no mail goes out; when it is back, the mail does.
func TestOnce_logDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.patiently()
	metrics := r.work(r.newLog())
	r.redis.SetError("LOADING Redis is loading the dataset in memory")
	r.confirm(rpc.WithKey(r.context(), "k"), somchai("a@x.th"))
	r.attempts(metrics, "confirm", "deferred", 1)
	if r.sink.Count() != 0 {
		t.Error("a mail went out unnoted")
	}
	r.redis.SetError("")
	r.mailTo("a@x.th")
}
