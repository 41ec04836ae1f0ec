package ui

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"matriq/pkg/api/restapi"
)

// transport answers with err as often as it has one, then with a good answer.
type transport struct {
	failures []error
	sent     int
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	t.sent++
	if len(t.failures) > 0 {
		err := t.failures[0]
		t.failures = t.failures[1:]
		return nil, err
	}
	body := `{"results":"1","studentID":69000001}`
	if r.URL.Path == restapi.PathAuthen {
		body = `{"results":1}`
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func newClient(wire *transport, timeout time.Duration) *Gateways {
	gateway := endpoint{base: url.URL{Scheme: "http", Host: "gateway"}}
	return &Gateways{otp: gateway, register: gateway, http: &http.Client{Transport: wire}, timeout: timeout}
}

func refusedDial() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

func lostAnswer() error { return &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET} }

// A gateway that is being replaced is not noticed, nor one that dies with a
// request.
func TestRepeat(t *testing.T) {
	t.Parallel()
	ask := func(ctx context.Context, g *Gateways) error {
		_, err := g.askCode(ctx, on{}, "key", "a@example.ac.th")
		return err
	}
	prove := func(ctx context.Context, g *Gateways) error {
		_, err := g.prove(ctx, on{}, "key", "a@example.ac.th", "123456")
		return err
	}
	register := func(ctx context.Context, g *Gateways) error {
		_, err := g.registerStudent(ctx, on{}, restapi.RegisterRequest{})
		return err
	}
	refused, lost := refusedDial(), lostAnswer()
	for name, c := range map[string]struct {
		failures []error
		do       func(context.Context, *Gateways) error
		sent     int
		after    time.Duration
		fails    bool
	}{
		"ask, refused":            {[]error{refused}, ask, 2, 100 * time.Millisecond, false},
		"prove, refused for long": {[]error{refused, refused, refused}, prove, 4, 1500 * time.Millisecond, false},
		"ask, nobody there":       {[]error{refused, refused, refused, refused}, ask, 4, 1500 * time.Millisecond, true},
		"ask, answer lost":        {[]error{lost}, ask, 2, 100 * time.Millisecond, false},
		"prove, answer lost":      {[]error{lost}, prove, 2, 100 * time.Millisecond, false},
		"register, answer lost":   {[]error{lost, lost}, register, 3, 500 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wire := &transport{failures: c.failures}
				g := newClient(wire, 5*time.Second)
				start := time.Now()
				err := c.do(t.Context(), g)
				if (err != nil) != c.fails || wire.sent != c.sent || time.Since(start) != c.after {
					t.Errorf("err %v after %d requests and %v; want %d and %v", err, wire.sent, time.Since(start), c.sent, c.after)
				}
				if err != nil && !errors.Is(err, errUnavailable) {
					t.Errorf("err = %v, want errUnavailable", err)
				}
			})
		})
	}
}

// The pauses end with the time there is.
func TestRepeatEndsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wire := &transport{failures: []error{refusedDial(), refusedDial(), refusedDial()}}
		g := newClient(wire, 450*time.Millisecond)
		start := time.Now()
		if _, err := g.progress(t.Context(), on{}, 1); err == nil {
			t.Error("it worked")
		}
		if got := time.Since(start); wire.sent != 2 || got != 100*time.Millisecond {
			t.Errorf("%d requests in %v, want 2 in 100ms", wire.sent, got)
		}
	})
}
