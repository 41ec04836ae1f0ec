package load_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"matriq/pkg/load"
)

func site(t *testing.T, url string) *load.Site {
	t.Helper()
	s, err := load.NewSite(url)
	if err != nil {
		t.Fatal(err)
	}
	s.Timeout = 10 * time.Second
	t.Cleanup(s.Close)
	return s
}

// raw is a server that does what do does with each connection, after a request
// has come.
func raw(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			do(c)
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func answering(t *testing.T, status int, header ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Every way in which an answer fails has a name of its own.
func TestPage_Kinds(t *testing.T) {
	t.Parallel()
	tlsServer := httptest.NewUnstartedServer(http.NotFoundHandler())
	tlsServer.Config.ErrorLog = log.New(io.Discard, "", 0) // what it tells of clients that hang up
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	for name, test := range map[string]struct {
		url  string
		want load.Kind
	}{
		"good":                   {answering(t, 200), load.KindDone},
		"later":                  {answering(t, 503, "Retry-After", "7"), load.KindLater},
		"503":                    {answering(t, 503), "status_503"},
		"429":                    {answering(t, 429, "Retry-After", "7"), "status_429"},
		"500":                    {answering(t, 500), "status_500"},
		"not found":              {answering(t, 404), "status_404"},
		"nobody listens":         {closedPort(t), load.KindRefused},
		"hangs":                  {raw(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }), load.KindTimeout},
		"hangs up":               {raw(t, func(net.Conn) {}), load.KindReset},
		"half an answer":         {raw(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")) }), load.KindReset},
		"no such name":           {"http://nobody.invalid", load.KindName},
		"stranger's certificate": {tlsServer.URL, load.KindTLS},
		"no TLS there":           {"https" + answering(t, 200)[len("http"):], load.KindTLS},
		"no HTTP":                {raw(t, func(c net.Conn) { _, _ = c.Write([]byte("220 smtp\r\n")) }), load.KindOther},
		"far":                    {"http://192.0.2.1", load.KindFar},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := site(t, test.url)
			if test.want == load.KindTimeout {
				s.Timeout = 100 * time.Millisecond
			}
			res := run(t, load.Page{Site: s}, load.Options{Rate: 100, For: 10 * time.Millisecond})
			if test.want == load.KindDone {
				if res.Visits.Done != 1 || len(res.Errors) != 0 {
					t.Errorf("visits are %+v with %+v, want 1 done", res.Visits, res.Errors)
				}
				return
			}
			if len(res.Errors) != 1 || res.Errors[0].Kind != test.want || res.Visits.Done != 0 {
				t.Errorf("errors are %+v, want one %s", res.Errors, test.want)
			}
		})
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// An operator who may load a stranger's address says so.
func TestSite_Anywhere(t *testing.T) {
	t.Parallel()
	s := site(t, "http://192.0.2.1") // documentation's: nobody is there
	s.Anywhere = true
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res, err := load.Run(ctx, load.Page{Site: s}, load.Options{Rate: 100, For: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Errors) != 1 || res.Errors[0].Kind == load.KindFar {
		t.Errorf("errors are %+v, want another than far", res.Errors)
	}
}
