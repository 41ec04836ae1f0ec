package load

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is the most of an answer's body that is read.
const maxBody = 1 << 20

// client is one visitor of a site: it keeps cookies and, as the site says,
// connections. It is used by one goroutine at a time.
type client struct {
	site    *Site
	own     pool
	from    *net.TCPAddr
	cookies []*http.Cookie
	written bytes.Buffer
}

func (s *Site) visitor() *client {
	return &client{site: s, from: s.turn.next(s.From)}
}

func (c *client) close() { c.own.close() }

// request is what is sent.
type request struct {
	method, path string
	header       []string // name, value, name, value …
	body         []byte
}

func (r *request) what() string {
	path, _, _ := strings.Cut(r.path, "?")
	return r.method + " " + path
}

// answer is what came, with all of its body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// retryAfter is 0 when the answer does not say.
func (a *answer) retryAfter() time.Duration {
	value := a.header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return max(time.Duration(seconds)*time.Second, time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), time.Second)
	}
	return 0
}

// do sends a request and reads its answer. An answer of 400 and more is a
// [*StatusError]; it is returned beside it.
func (c *client) do(ctx context.Context, req *request) (*answer, error) {
	deadline := time.Now().Add(c.site.timeout())
	a, err := c.exchange(ctx, req, deadline)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s: %w", req.what(), err)
	}
	c.keepCookies(a)
	if a.status >= http.StatusBadRequest {
		return a, &StatusError{What: req.what(), Status: a.status, RetryAfter: a.retryAfter()}
	}
	return a, nil
}

// exchange asks once more where a GET found a kept connection closed, as browsers
// do.
func (c *client) exchange(ctx context.Context, req *request, deadline time.Time) (*answer, error) {
	for {
		con := c.idle().take()
		if con == nil {
			var err error
			if con, err = c.site.dial(ctx, c.from, deadline); err != nil {
				return nil, err
			}
		}
		used := con.used
		a, err := c.on(ctx, con, req, deadline)
		if err == nil {
			return a, nil
		}
		_ = con.Close() // it has failed already
		if !used || req.method != http.MethodGet || ctx.Err() != nil || !errors.Is(err, errNoAnswer) || KindOf(err) != KindReset {
			return nil, err
		}
	}
}

// errNoAnswer is that nothing came back.
var errNoAnswer = errors.New("no answer")

func (c *client) idle() *pool {
	if c.site.Connections == PerVisit {
		return &c.own
	}
	return &c.site.kept
}

// on sends the request on con and gives con back when it can be used again.
func (c *client) on(ctx context.Context, con *conn, req *request, deadline time.Time) (*answer, error) {
	if err := con.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = con.SetDeadline(time.Unix(1, 0)) }) // a closed one has ended already
	defer stop()
	if _, err := con.Write(c.bytes(req)); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if _, err := con.r.Peek(1); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	con.used = true
	res, err := http.ReadResponse(con.r, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if res.Close || len(body) > maxBody || c.site.Connections == PerRequest || !stop() {
		_ = con.Close() // the answer has been read
	} else {
		c.idle().give(con)
	}
	return &answer{status: res.StatusCode, header: res.Header, body: body}, nil
}

// bytes writes the request as HTTP/1.1 has it.
func (c *client) bytes(req *request) []byte {
	b := &c.written
	b.Reset()
	b.WriteString(req.method + " " + c.site.base() + req.path + " HTTP/1.1\r\nHost: " + c.site.URL.Host + "\r\n")
	if user := c.site.URL.User; user != nil {
		password, _ := user.Password()
		b.WriteString("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n")
	}
	for pair := range slices.Chunk(req.header, 2) {
		b.WriteString(pair[0] + ": " + pair[1] + "\r\n")
	}
	for i, cookie := range c.cookies {
		b.WriteString([]string{"Cookie: ", "; "}[min(i, 1)] + cookie.Name + "=" + cookie.Value)
	}
	if len(c.cookies) > 0 {
		b.WriteString("\r\n")
	}
	if c.site.Connections == PerRequest {
		b.WriteString("Connection: close\r\n")
	}
	if req.body != nil {
		b.WriteString("Content-Length: " + strconv.Itoa(len(req.body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(req.body)
	return b.Bytes()
}

// keepCookies keeps what the site sets, by name: a visitor sees one site.
func (c *client) keepCookies(a *answer) {
	for _, line := range a.header["Set-Cookie"] {
		cookie, err := http.ParseSetCookie(line)
		if err != nil {
			continue // as browsers do
		}
		c.cookies = slices.DeleteFunc(c.cookies, func(old *http.Cookie) bool { return old.Name == cookie.Name })
		if cookie.MaxAge >= 0 && cookie.Value != "" {
			c.cookies = append(c.cookies, cookie)
		}
	}
}
