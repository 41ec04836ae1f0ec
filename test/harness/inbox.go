package harness

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"matriq/pkg/mailsink"
)

// Mails returns what the inbox of the suite has for an address, newest first.
func (u *Up) Mails(t *testing.T, to string) []mailsink.Message {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.Inbox+"/api/messages?to="+url.QueryEscape(to), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var mails []mailsink.Message
	if err := json.NewDecoder(res.Body).Decode(&mails); err != nil {
		t.Fatal(err)
	}
	return mails
}

// WaitMail returns the newest mail to an address that fits, waiting for it.
func (u *Up) WaitMail(t *testing.T, to string, fits func(mailsink.Message) bool) mailsink.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	var found mailsink.Message
	err := Poll(ctx, func() bool {
		for _, m := range u.Mails(t, to) {
			if fits(m) {
				found = m
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("the inbox has no such mail to %s: %+v", to, u.Mails(t, to))
	}
	return found
}

// Code waits for a mail with a code and returns the code.
func (u *Up) Code(t *testing.T, to string) string {
	t.Helper()
	m := u.WaitMail(t, to, func(m mailsink.Message) bool { return codePattern.MatchString(m.Text) })
	return codePattern.FindString(m.Text)
}
