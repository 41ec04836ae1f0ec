package email_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/rpc"
)

func somchai(to string) emailapi.SendConfirmationArgs {
	return emailapi.SendConfirmationArgs{StudentID: 69000001, Firstname: "สมชาย", Lastname: "O'Hara", Email: to}
}

func TestSendConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := r.work(r.newLog())
	for language, want := range map[string]string{"th": "เรียน คุณสมชาย ", "en": "Dear สมชาย "} {
		to := language + "@x.th"
		ctx := rpc.WithKey(rpc.WithMeta(r.context(), rpc.Meta{Language: language}), "key "+language)
		r.confirm(ctx, somchai(to))
		if e := r.event(); e.Key != "key "+language || time.Since(e.At) > patience {
			t.Errorf("event %+v", e)
		}
		m := r.mailTo(to)
		if m.Lang != language || !strings.Contains(m.Subject, "69000001") {
			t.Errorf("subject %q in %q", m.Subject, m.Lang)
		}
		for _, body := range []string{m.Text, m.HTML} {
			if !strings.Contains(body, want) || !strings.Contains(body, "69000001") {
				t.Errorf("the mail is\n%s", body)
			}
		}
		if !strings.Contains(m.Text, "O'Hara") {
			t.Errorf("the text is escaped:\n%s", m.Text)
		}
	}
	if got := value(metrics, "matriq_funnel_total", "confirmed"); got != 2 {
		t.Errorf("the funnel counts %v confirmed, want 2", got)
	}
}

func TestSendConfirmation_escapes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(r.newLog())
	args := somchai("a@x.th")
	args.Firstname, args.Lastname = `<a href="http://evil.example">`, "{{.Site}}"
	r.confirm(r.context(), args)
	m := r.mailTo("a@x.th")
	if strings.Contains(m.HTML, "<a ") || !strings.Contains(m.HTML, "&lt;a href=") {
		t.Errorf("the HTML is\n%s", m.HTML)
	}
	if !strings.Contains(m.Text, args.Firstname+" {{.Site}}") {
		t.Errorf("the text is\n%s", m.Text)
	}
}

func TestSendConfirmation_unsafe(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*emailapi.SendConfirmationArgs){
		"first name": func(a *emailapi.SendConfirmationArgs) { a.Firstname = "a\r\nBcc: b@x.th" },
		"last name":  func(a *emailapi.SendConfirmationArgs) { a.Lastname = "a\x00" },
		"address":    func(a *emailapi.SendConfirmationArgs) { a.Email = "a@x.th\r\n.\r\nMAIL FROM:<b@x.th>" },
		"no address": func(a *emailapi.SendConfirmationArgs) { a.Email = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.work(r.newLog())
			args := somchai("a@x.th")
			change(&args)
			r.confirm(r.context(), args)
			if p := r.parked("email"); p.Reason != "permanent" || p.LastError != "invalid_argument: bad_mail" {
				t.Errorf("parked as %q: %s", p.Reason, p.LastError)
			}
			if r.sink.Connections() != 0 || len(r.events) != 0 {
				t.Error("a mail was begun, or told of")
			}
		})
	}
}

// A client that calls, as Nameko's do, has no key; its repeat is still harmless.
func TestSendConfirmation_called(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.work(r.newLog())
	call := func(id int64) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"args": []any{id, "a", "b", "a@x.th"}, "kwargs": map[string]any{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		reply, err := r.client.Call(ctx, rpc.Message{Kind: rpc.KindCall, Target: "email.send", Body: body})
		if err != nil || string(reply) != "null" {
			t.Errorf("call = %s, %v", reply, err)
		}
	}
	call(1)
	call(1)
	call(2)
	if got := r.sink.Count(); got != 2 {
		t.Errorf("%d mails are out, want one for each student", got)
	}
}
