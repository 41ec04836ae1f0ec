package harness

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"matriq/pkg/mailsink"
)

// Inbox is the URL of the inbox of a suite in one process.
type Inbox string

// Mails returns what the inbox has for an address, newest first.
func (i Inbox) Mails(t *testing.T, to string) []mailsink.Message {
	t.Helper()
	mails, err := i.Fetch(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	return mails
}

// Fetch is Mails outside a test.
func (i Inbox) Fetch(ctx context.Context, to string) ([]mailsink.Message, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(i)+"/api/messages?to="+url.QueryEscape(to), nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var mails []mailsink.Message
	return mails, json.NewDecoder(res.Body).Decode(&mails)
}

// WaitMail returns the newest mail to an address that fits, waiting for it.
func (i Inbox) WaitMail(t *testing.T, to string, fits func(mailsink.Message) bool) mailsink.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	var found mailsink.Message
	err := Poll(ctx, func() bool {
		for _, m := range i.Mails(t, to) {
			if fits(m) {
				found = m
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("the inbox has no such mail to %s: %+v", to, i.Mails(t, to))
	}
	return found
}

// Code waits for a mail with a code and returns the code.
func (i Inbox) Code(t *testing.T, to string) string {
	t.Helper()
	m := i.WaitMail(t, to, func(m mailsink.Message) bool { return codePattern.MatchString(m.Text) })
	return FindCode(m)
}

// FindCode returns the code that a mail has, or "".
func FindCode(m mailsink.Message) string { return codePattern.FindString(m.Text) }
