package swarm_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/harness"
)

// relayUser is whom the relay knows.
const relayUser = "registration"

// haveRelay starts a mail relay on this machine, outside of the swarm, with a
// certificate of an authority of its own, and takes the inbox away. Afterwards the
// mails go to the inbox again.
func (o *operator) haveRelay(t *testing.T) (check func(*testing.T)) {
	t.Helper()
	address := o.docker(t, "network", "inspect", "docker_gwbridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
	password, given := rand.Text(), newAuthority(t)
	cert, key := given.issue(t, address)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	relay := mailsink.New(mailsink.Options{Certificate: &pair, Username: relayUser, Password: password})
	at := serveRelay(t, relay, address)
	write(t, filepath.Join(o.folder, "relay-ca.pem"), given.pem)
	write(t, filepath.Join(o.folder, "smtp-url.txt"), fmt.Appendf(nil, "smtp://%s:%s@%s?ca=/run/secrets/smtp_ca\n", relayUser, password, at))

	page := httptest.NewServer(relay.Handler())
	t.Cleanup(page.Close)
	usual, inbox := o.env, o.site.Inbox
	o.env, o.site.Inbox = append(slices.Clone(usual), "INBOX="), harness.Inbox(page.URL)
	return func(t *testing.T) {
		o.checkRelay(t, relay)
		o.env, o.site.Inbox = usual, inbox
		o.script(t, "up")
		o.settle(t)
		o.register(t, 1)
	}
}

// serveRelay has a relay listen until the test ends, and returns where.
func serveRelay(t *testing.T, relay *mailsink.Sink, address string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- relay.ServeSMTP(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// checkRelay fails the test unless there is no inbox any more, and both mails of
// somebody who registers go to the relay, over TLS and after a login.
func (o *operator) checkRelay(t *testing.T, relay *mailsink.Sink) {
	t.Helper()
	if ids := o.running(t.Context(), "inbox"); len(ids) > 0 {
		t.Errorf("the inbox still runs: %v", ids)
	}
	before := relay.Count()
	o.register(t, 1)
	if got := relay.Count() - before; got != 2 {
		t.Errorf("%d mails went to the relay, want the code and the confirmation", got)
	}
	for id, person := range o.crowd.Told() {
		for _, mail := range relay.Messages(person.Email) {
			if !mail.TLS || mail.User != relayUser {
				t.Errorf("a mail of student %d came with TLS %t from user %q", id, mail.TLS, mail.User)
			}
		}
	}
}
