package peer

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"matriq/bench/child"
	"matriq/bench/measure"
)

// Roles for pages.
const (
	RolePageClient = "page-client"
	RolePageServer = "page-server"
)

// pageClient asks for the same page on connections that stay open. It is as cheap
// as can be, so that the server is what is measured: it writes a constant request
// and finds the end of the answer by Content-Length, and looks at nothing else.
func pageClient(context.Context) map[string]child.Handler {
	var addr string
	return map[string]child.Handler{
		AskOpen: child.Answers(func(_ context.Context, at string) (done, error) {
			addr = at
			return done{}, nil
		}),
		AskRun: child.Answers(func(ctx context.Context, r Run) (measure.Sample, error) {
			clients, err := connect(ctx, addr, r.Users)
			if err != nil {
				return measure.Sample{}, err
			}
			defer func() {
				for _, c := range clients {
					_ = c.conn.Close() // it was read to the end
				}
			}()
			return checked(loop(ctx, r.Users, r.Length, func(_ context.Context, user int) error { return clients[user].get() }))
		}),
	}
}

func connect(ctx context.Context, addr string, n int) ([]*pageReader, error) {
	clients := make([]*pageReader, n)
	var dialer net.Dialer
	for i := range clients {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		clients[i] = &pageReader{conn: conn, in: bufio.NewReaderSize(conn, 16<<10), request: []byte(
			"GET / HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: bench\r\nAccept: text/html\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\n\r\n")}
	}
	return clients, nil
}

// pageReader is one connection.
type pageReader struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

const pagePatience = 10 * time.Second

func (p *pageReader) get() error {
	if err := p.conn.SetDeadline(time.Now().Add(pagePatience)); err != nil {
		return err
	}
	if _, err := p.conn.Write(p.request); err != nil {
		return err
	}
	line, err := p.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the server says %q", line)
	}
	length := -1
	for len(line) > 2 {
		if line, err = p.in.ReadSlice('\n'); err != nil {
			return err
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("the answer has no Content-Length")
	}
	_, err = p.in.Discard(length)
	return err
}

// pageServer is net/http with nothing on it: it asks another server for the page
// once and answers everything with the same header and the same bytes.
func pageServer(process context.Context) map[string]child.Handler {
	return map[string]child.Handler{AskOpen: child.Answers(func(ctx context.Context, url string) (string, error) {
		header, body, err := fetch(ctx, url)
		if err != nil {
			return "", err
		}
		return serveHTTP(process, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), header)
			_, _ = w.Write(body) // the client has gone
		}))
	})}
}

// serveHTTP serves on a port of loopback until the process ends.
func serveHTTP(process context.Context, handler http.Handler) (addr string, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(process, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{ReadHeaderTimeout: pagePatience, Handler: handler}
	context.AfterFunc(process, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }() // until the process ends
	return listener.Addr().String(), nil
}

// fetch returns the page as a browser is sent it, compressed.
func fetch(ctx context.Context, url string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close() // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	header := res.Header.Clone()
	header.Del("Date")
	body, err := io.ReadAll(res.Body)
	return header, body, err
}
