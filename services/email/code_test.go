package email_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/mailsink"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
)

func TestSendCode(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]struct{ lang, text string }{
		"":      {"th", "รหัสนี้ใช้ได้อีก 10 นาที"},
		"th":    {"th", "รหัสนี้ใช้ได้อีก 10 นาที"},
		"fr":    {"th", "รหัสนี้ใช้ได้อีก 10 นาที"},
		"en":    {"en", "for another 10 minutes"},
		"EN-gb": {"en", "for another 10 minutes"},
	} {
		t.Run("language "+language, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			metrics := r.work(r.newLog())
			r.sendCode(rpc.WithMeta(r.context(), rpc.Meta{Language: language}), envelope(seal.Code, "Listed.One@x.th"))
			m := r.mailTo("Listed.One@x.th")
			if m.Lang != want.lang || !strings.Contains(m.HTML, fmt.Sprintf(`<html lang=%q>`, want.lang)) {
				t.Errorf("the mail is in %q, want %q", m.Lang, want.lang)
			}
			for part, body := range map[string]string{"text": m.Text, "HTML": m.HTML} {
				for _, needle := range []string{"042137", "KTM", want.text} {
					if !strings.Contains(body, needle) {
						t.Errorf("the %s lacks %q:\n%s", part, needle, body)
					}
				}
			}
			if !strings.Contains(m.Subject, "KTM") || strings.Contains(m.Subject, "042137") {
				t.Errorf("subject %q, want the reference and not the code", m.Subject)
			}
			if strings.Contains(string(m.Raw), "typed") {
				t.Error("the mail holds what somebody typed")
			}
			r.attempts(metrics, "otp", "sent", 1)
			if got := value(metrics, "matriq_funnel_total", "mailed"); got != 1 {
				t.Errorf("the funnel counts %v mailed, want 1", got)
			}
			lint(t, metrics)
			r.logged.has(t, "l…@x.th")
			r.logged.never(t, "042137", "isted.One", "typed")
		})
	}
}

func TestSendCode_lastMinute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(r.newLog())
	e := envelope(seal.Code, "a@x.th")
	e.Expires = time.Now().Add(50 * time.Second)
	r.sendCode(rpc.WithMeta(r.context(), rpc.Meta{Language: "en"}), e)
	if m := r.mailTo("a@x.th"); !strings.Contains(m.Text, "for another 1 minute.") {
		t.Errorf("the mail is\n%s", m.Text)
	}
}

// A decoy of an address that nobody listed goes nowhere; a registered owner is
// told, without a code.
func TestSendCode_decoys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := r.work(r.newLog())
	r.sendCode(r.context(), seal.Envelope{Kind: seal.DecoyUnlisted, Ref: "ABC", Issued: time.Now(), Expires: time.Now().Add(time.Minute)})
	r.attempts(metrics, "otp", "decoy", 1)
	for language, want := range map[string]string{"th": "ลงทะเบียนเรียบร้อยแล้ว", "en": "already registered"} {
		to := language + "@x.th"
		r.sendCode(rpc.WithMeta(r.context(), rpc.Meta{Language: language}), envelope(seal.DecoyRegistered, to))
		m := r.mailTo(to)
		if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) || m.Lang != language {
			t.Errorf("the mail is\n%s", m.Text)
		}
	}
	r.attempts(metrics, "otp", "sent", 2)
	if got := r.sink.Count(); got != 2 {
		t.Errorf("%d mails are out, want 2", got)
	}
	if got := value(metrics, "matriq_funnel_total", "mailed"); got != 0 {
		t.Errorf("the funnel counts %v mailed, want 0", got)
	}
}

func TestSendCode_expired(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := r.work(r.newLog())
	e := envelope(seal.Code, "a@x.th")
	e.Expires = time.Now()
	r.sendCode(r.context(), e)
	r.attempts(metrics, "otp", "expired", 1)
	if r.sink.Count() != 0 {
		t.Error("an expired code was mailed")
	}
	if n, err := r.client.CountParked(r.context(), "email_otp"); err != nil || n != 0 {
		t.Errorf("%d expired codes are parked, %v", n, err)
	}
}

// A code that dies while the mail server keeps us waiting is not mailed.
func TestSendCode_diesOnItsWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := r.work(r.newLog())
	e := envelope(seal.Code, "a@x.th")
	e.Expires = time.Now().Add(300 * time.Millisecond)
	r.sink.Inject(mailsink.Fault{Stage: mailsink.StageRcpt, On: func() { <-time.After(time.Until(e.Expires)) }})
	r.sendCode(r.context(), e)
	r.attempts(metrics, "otp", "expired", 1)
	if r.sink.Count() != 0 {
		t.Error("a dead code was mailed")
	}
}

// What otp did not seal is parked, where an operator sees it.
func TestSendCode_tampered(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*emailapi.SendCodeArgs){
		"altered":   func(a *emailapi.SendCodeArgs) { a.OTP.Sealed = a.OTP.Sealed[:len(a.OTP.Sealed)-4] + "AAAA" },
		"reference": func(a *emailapi.SendCodeArgs) { a.OTP.Ref = "XYZ" },
		"empty":     func(a *emailapi.SendCodeArgs) { a.OTP.Sealed = "1." },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.work(r.newLog())
			args := r.sealed(envelope(seal.Code, "a@x.th"))
			change(&args)
			if err := emailapi.SendCode.Send(r.context(), r.client, args); err != nil {
				t.Fatal(err)
			}
			if p := r.parked("email_otp"); p.Reason != "permanent" || p.LastError != "invalid_argument: bad_seal" || p.Attempts != 1 {
				t.Errorf("parked as %q after %d attempts: %s", p.Reason, p.Attempts, p.LastError)
			}
		})
	}
}

// A key that is still on its way to this worker is worth a wait.
func TestSendCode_unknownKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(r.newLog())
	args := r.sealed(envelope(seal.Code, "a@x.th"))
	args.OTP.Sealed = "2" + strings.TrimPrefix(args.OTP.Sealed, "1")
	if err := emailapi.SendCode.Send(r.context(), r.client, args); err != nil {
		t.Fatal(err)
	}
	if p := r.parked("email_otp"); p.Reason != "attempts" || p.Attempts != 4 {
		t.Errorf("parked as %q after %d attempts", p.Reason, p.Attempts)
	}
}

func TestSendCode_unsafe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*seal.Envelope){
		"address":   func(e *seal.Envelope) { e.Email = "a@x.th\r\nBcc: b@x.th" },
		"two":       func(e *seal.Envelope) { e.Email = "a@x.th,b@x.th" },
		"reference": func(e *seal.Envelope) { e.Ref = "K\r\nBcc: b@x.th" },
		"code":      func(e *seal.Envelope) { e.Code = "1\n2" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.work(r.newLog())
			e := envelope(seal.Code, "a@x.th")
			change(&e)
			r.sendCode(r.context(), e)
			if p := r.parked("email_otp"); p.Reason != "permanent" || p.LastError != "invalid_argument: bad_mail" {
				t.Errorf("parked as %q: %s", p.Reason, p.LastError)
			}
			if r.sink.Connections() != 0 {
				t.Error("a mail was begun")
			}
		})
	}
}
