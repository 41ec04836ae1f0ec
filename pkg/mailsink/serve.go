package mailsink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

const (
	maxMessage = 1 << 20
	idle       = 5 * time.Minute
	// grace is how long a mail under way may take once the server stops.
	grace = 2 * time.Second
)

// ServeSMTP speaks SMTP on l until ctx ends, and returns nil then: it takes no
// further connection, closes the idle ones, and gives the others two seconds to
// end the mail under way. It closes l. A sink may be served on several
// listeners, at once or one after the other.
func (s *Sink) ServeSMTP(ctx context.Context, l net.Listener) error {
	srv := &server{sink: s, sessions: map[*session]bool{}, stopping: make(chan struct{}), empty: make(chan struct{})}
	back := srv.smtp()
	failed := make(chan error, 1)
	go func() { failed <- back.Serve(counted{l, s}) }()
	select {
	case err := <-failed:
		return errors.Join(fmt.Errorf("serve SMTP: %w", err), back.Close())
	case <-ctx.Done():
	}
	srv.stop(ctx, l)
	if err := back.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stop SMTP: %w", err)
	}
	if err := <-failed; err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve SMTP: %w", err)
	}
	return nil
}

// server is what one call of ServeSMTP runs.
type server struct {
	sink     *Sink
	stopping chan struct{} // closed when ctx has ended
	empty    chan struct{} // closed when no session is left after that

	mu       sync.Mutex
	stopped  bool
	sessions map[*session]bool // true while a mail is under way
}

func (srv *server) smtp() *smtp.Server {
	back := smtp.NewServer(smtp.BackendFunc(srv.greet))
	back.Domain = "mailsink"
	back.ErrorLog = errorLog{srv.sink.log}
	back.MaxMessageBytes = maxMessage
	back.MaxRecipients = 100
	back.ReadTimeout, back.WriteTimeout = idle, 10*time.Second
	back.AllowInsecureAuth = true
	if cert := srv.sink.opts.Certificate; cert != nil {
		back.AllowInsecureAuth = false
		back.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	return back
}

// greet is called at EHLO, again after STARTTLS.
func (srv *server) greet(c *smtp.Conn) (smtp.Session, error) {
	sess := &session{server: srv, conn: c}
	if _, err := sess.fault(StageHello); err != nil {
		return nil, err
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.stopped {
		return nil, errStop
	}
	srv.sessions[sess] = false
	srv.sink.open.Add(1)
	return sess, nil
}

// begin marks sess as busy; it returns false when the server stops.
func (srv *server) begin(sess *session) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if !srv.stopped {
		srv.sessions[sess] = true
	}
	return !srv.stopped
}

// end marks sess as idle; it returns true when the server stops.
func (srv *server) end(sess *session) (stopping bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if _, ok := srv.sessions[sess]; ok {
		srv.sessions[sess] = false
	}
	return srv.stopped
}

func (srv *server) leave(sess *session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if _, ok := srv.sessions[sess]; !ok {
		return
	}
	delete(srv.sessions, sess)
	srv.sink.open.Add(-1)
	if srv.stopped && len(srv.sessions) == 0 {
		close(srv.empty)
	}
}

// stop waits for the mails under way, for as long as the grace lasts.
func (srv *server) stop(ctx context.Context, l net.Listener) {
	if err := l.Close(); err != nil {
		srv.sink.log.Warn("listener not closed", "error", err)
	}
	close(srv.stopping)
	for _, sess := range srv.halt() {
		_ = sess.close() // the connection may be gone already
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	select {
	case <-srv.empty:
	case <-ctx.Done():
	}
}

// halt lets no further mail begin and returns the idle sessions.
func (srv *server) halt() (quiet []*session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.stopped = true
	if len(srv.sessions) == 0 {
		close(srv.empty)
	}
	for sess, busy := range srv.sessions {
		if !busy {
			quiet = append(quiet, sess)
		}
	}
	return quiet
}

// counted counts the connections that it accepts.
type counted struct {
	net.Listener
	sink *Sink
}

// Accept implements [net.Listener].
func (l counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.sink.connections.Add(1)
	}
	return conn, err
}

// errorLog lets the library report broken connections.
type errorLog struct{ log *slog.Logger }

// Printf implements [smtp.Logger].
func (l errorLog) Printf(format string, v ...any) {
	l.log.Warn("smtp connection failed", "detail", fmt.Sprintf(format, v...))
}

// Println implements [smtp.Logger].
func (l errorLog) Println(v ...any) {
	l.log.Warn("smtp connection failed", "detail", fmt.Sprint(v...))
}
