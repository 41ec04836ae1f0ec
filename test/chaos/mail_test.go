package chaos_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"matriq/pkg/mailsink"
)

// acceptance is how long the mail server thinks before its 250, as real ones do.
// So some workers die in the window in which nobody can know.
const acceptance = 50 * time.Millisecond

// mailRoom is the mail server, with an address of its own for each life of each
// mail worker, so that it can tell who brought a mail.
type mailRoom struct {
	*mailsink.Sink
	ctx     context.Context //nolint:containedctx // of the servers, which begin while the test runs
	serving sync.WaitGroup
}

func newMailRoom(t *testing.T) *mailRoom {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	m := &mailRoom{Sink: mailsink.New(mailsink.Options{}), ctx: ctx}
	m.Inject(mailsink.Fault{Stage: mailsink.StageData, On: func() { pause(ctx, acceptance) }})
	t.Cleanup(func() {
		cancel()
		m.serving.Wait()
	})
	return m
}

// open listens on a new address and returns it.
func (m *mailRoom) open() (addr string, err error) {
	l, err := (&net.ListenConfig{}).Listen(m.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	m.serving.Go(func() { _ = m.ServeSMTP(m.ctx, l) }) // a mail that it does not take is missed later
	return l.Addr().String(), nil
}
