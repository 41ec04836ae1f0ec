package e2e_test

import (
	"net/http/httptest"
	"sync"
	"testing"

	"matriq/pkg/mailsink"
	"matriq/test/e2e/browser"
	"matriq/test/harness"
)

// progress are how far the three parts of a registration are, as shown.
const progress = `[...document.querySelectorAll("#progress li")].map((part) => part.className).join(" ")`

// startWithMail starts a suite that mails into the test's own mail server.
func startWithMail(t *testing.T) (*harness.Up, *mailsink.Sink) {
	t.Helper()
	sink, addr := harness.StartMail(t)
	suite := harness.StartUp(t, t.TempDir(), "--smtp", "smtp://"+addr+"?tls=none")
	inbox := httptest.NewServer(sink.Handler())
	t.Cleanup(inbox.Close)
	suite.Inbox = harness.Inbox(inbox.URL)
	return suite, sink
}

// holdMail makes the mail server wait before it takes a mail to an address,
// until release is called.
func holdMail(t *testing.T, sink *mailsink.Sink, to string) (release func()) {
	t.Helper()
	held := make(chan struct{})
	remove := sink.Inject(mailsink.Fault{Stage: mailsink.StageData, To: to, On: func() { <-held }})
	free := sync.OnceFunc(func() {
		remove()
		close(held)
	})
	t.Cleanup(free)
	return free
}

// The last page follows the registration by itself: by its script without
// being loaded again, and without JavaScript by loading itself.
func TestProgress_Follows(t *testing.T) {
	t.Parallel()
	suite, sink := startWithMail(t)
	for name, c := range map[string]struct {
		email    string
		noScript bool
	}{
		"script":    {email: "kanya@example.ac.th"},
		"no script": {email: "niran@example.ac.th", noScript: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPerson(t, suite, browser.Options{Language: "en", NoScript: c.noScript})
			p.opens("/")
			p.proves(c.email)
			release := holdMail(t, sink, c.email)
			p.types("firstname", "Kanya")
			p.types("lastname", "Jaidee")
			p.sends("lastname")
			p.sees("/done", "Kanya", "In progress")
			p.looksAgain(c.noScript)
			loads := p.b.Loads()

			release()
			p.must(p.b.Wait(progress + ` === "yes yes yes"`))
			p.sees("/done", "Everything is done")
			if reloaded := p.b.Loads() > loads; reloaded != c.noScript {
				t.Errorf("loaded again: %v, want %v", reloaded, c.noScript)
			}
			p.noFaults()
		})
	}
}

// looksAgain follows the link that only those have whose page does not follow
// by itself.
func (p *person) looksAgain(can bool) {
	p.t.Helper()
	const link = "#progress a"
	if shown := eval[bool](p, `document.querySelector("`+link+`").checkVisibility()`); shown != can {
		p.t.Fatalf("the link to look again is shown: %v, want %v", shown, can)
	}
	if can {
		p.clicks(link)
		p.sees("/done", "In progress")
	}
}
