package main

import (
	"bufio"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"matriq/deploy/edge/task"
)

// Who asks for what is told by the port: /authen is a page and a call.
func TestEdge_Doors(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.serve(t, "ui", "127.0.0.2", say("ui"))
	d.serve(t, "register-gateway", "127.0.0.3", say("register-gateway"))
	d.serve(t, "otp-gateway", "127.0.0.4", say("otp-gateway"))
	for _, tc := range []struct{ method, addr, path, want string }{
		{"GET", d.pages, "/", "ui GET /"},
		{"GET", d.pages, "/authen", "ui GET /authen"},
		{"POST", d.pages, "/authen", "ui POST /authen"},
		{"POST", d.otp, "/authen", "otp-gateway POST /authen"},
		{"POST", d.otp, "/getotp/", "otp-gateway POST /getotp/"},
		{"POST", d.register, "/register", "register-gateway POST /register"},
		{"GET", d.register, "/register/69000001", "register-gateway GET /register/69000001"},
	} {
		if got := ask(t, request(t, tc.method, tc.addr, tc.path, "")); got.status != 200 || got.body != tc.want {
			t.Errorf("%s %s = %d %q, want %q", tc.method, tc.path, got.status, got.body, tc.want)
		}
	}
}

// What a client says of its own address and of the request's ID is not believed.
func TestEdge_ClientAddress(t *testing.T) {
	t.Parallel()
	tell := func(w http.ResponseWriter, r *http.Request) {
		//nolint:gosec // G705: no browser reads it
		_, _ = fmt.Fprintf(w, "%q %s", r.Header.Values("X-Forwarded-For"), r.Header.Get("X-Request-Id"))
	}
	spoof := []string{"X-Forwarded-For", "198.51.100.1, 203.0.113.9", "X-Request-Id", "forged-0123456789"}
	for name, tc := range map[string]struct {
		vars []string
		want string
	}{
		"nobody is trusted":    {nil, `["127.0.0.1"] `},
		"a balancer of ours":   {[]string{"EDGE_TRUSTED_PROXIES=127.0.0.0/8"}, `["203.0.113.9"] `},
		"the setting is empty": {[]string{"EDGE_TRUSTED_PROXIES="}, `["127.0.0.1"] `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, tc.vars...)
			d.serve(t, "ui", "127.0.0.2", tell)
			got := get(t, d.pages, "/reg", spoof...)
			if !strings.HasPrefix(got.body, tc.want) || strings.Contains(got.body, "forged") || len(got.body) < len(tc.want)+8 {
				t.Errorf("the pages see %s, want %s and an ID of the edge's own", got.body, tc.want)
			}
		})
	}
}

// front is a replica that serves the first page as ui does.
func front(body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "public, max-age=300")
		h["Vary"] = []string{"Accept-Language", "Accept-Encoding"}
		h.Set("X-Served-By", "replica-1")
		h.Set("ETag", `"v1"`)
		for pair := range slices.Chunk(header, 2) {
			h.Set(pair[0], pair[1])
		}
		_, _ = io.WriteString(w, body+r.Header.Get("Accept-Language")+r.Header.Get("Cookie")) //nolint:gosec // G705: no browser reads it
	}
}

func TestEdge_KeepsThePublicPage(t *testing.T) {
	t.Parallel()
	d := open(t)
	h, asked := counting(front("page "))
	d.serve(t, "ui", "127.0.0.2", h)
	th := get(t, d.pages, "/", "Accept-Language", "th", "Cookie", "sid=secret")
	again := get(t, d.pages, "/", "Accept-Language", "th")
	if th.body != "page th" || again.body != "page th" || asked.Load() != 1 {
		t.Errorf("%q, then %q after %d requests; want the page without the cookie, twice, after one", th.body, again.body, asked.Load())
	}
	if again.header.Get("X-Served-By") != "" || !strings.HasPrefix(again.header.Get("Cache-Status"), "edge; hit") {
		t.Errorf("header of the kept page: %v", again.header)
	}
	if en := get(t, d.pages, "/", "Accept-Language", "en"); en.body != "page en" {
		t.Errorf("in English: %q", en.body)
	}
	if known := get(t, d.pages, "/", "Accept-Language", "th", "If-None-Match", `W/"v1"`); known.status != 304 || known.body != "" {
		t.Errorf("to whom has it: %d %q, want 304", known.status, known.body)
	}
	head := ask(t, request(t, http.MethodHead, d.pages, "/", "", "Accept-Language", "th"))
	if head.status != 200 || head.header.Get("Content-Length") != "7" {
		t.Errorf("HEAD = %d %v", head.status, head.header)
	}
	if asked.Load() != 2 {
		t.Errorf("ui was asked %d times, want once for each language", asked.Load())
	}
}

func TestEdge_DoesNotKeep(t *testing.T) {
	t.Parallel()
	d := open(t)
	var now http.HandlerFunc
	h, asked := counting(func(w http.ResponseWriter, r *http.Request) { now(w, r) })
	d.serve(t, "ui", "127.0.0.2", h)
	for name, tc := range map[string]struct {
		serve   http.HandlerFunc
		method  string
		path    string
		headers []string
	}{
		"with a cookie":       {front("x", "Set-Cookie", "sid=1"), "GET", "/", nil},
		"private":             {front("x", "Cache-Control", "private, max-age=300"), "GET", "/", nil},
		"to be asked again":   {front("x", "Cache-Control", "public, no-cache"), "GET", "/", nil},
		"varies by cookie":    {front("x", "Vary", "Cookie"), "GET", "/", nil},
		"a page of a session": {front("x"), "GET", "/reg", nil},
		"a form":              {front("x"), "POST", "/", nil},
		"with a password":     {front("x"), "GET", "/", []string{"Authorization", "Basic eDp5"}},
		"in part":             {front("x"), "GET", "/", []string{"Range", "bytes=0-0"}},
		"a language too long": {front("x"), "GET", "/", []string{"Accept-Language", strings.Repeat("a", 300)}},
		"not found": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=9")
			w.WriteHeader(404)
		}, "GET", "/static/none.css", nil},
	} {
		now = tc.serve
		before := asked.Load()
		for range 2 {
			ask(t, request(t, tc.method, d.pages, tc.path, "", append([]string{"Accept-Language", name[:3]}, tc.headers...)...))
		}
		if got := asked.Load() - before; got != 2 {
			t.Errorf("%s: ui was asked %d times for two requests, want 2", name, got)
		}
	}
}

// Of a crowd that asks at once one goes through.
func TestEdge_CrowdAsksOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	h, asked := counting(func(w http.ResponseWriter, r *http.Request) {
		close(arrived) // a second request panics here
		<-release
		front("page")(w, r)
	})
	d.serve(t, "ui", "127.0.0.2", h)
	var crowd sync.WaitGroup
	for range 50 {
		crowd.Go(func() {
			if got, err := try(request(t, http.MethodGet, d.pages, "/", "")); err != nil || got.body != "page" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	<-arrived
	close(release)
	crowd.Wait()
	if asked.Load() != 1 {
		t.Errorf("ui was asked %d times, want once", asked.Load())
	}
}

// What ui has packed goes through as it is; what it has not is packed here, once.
func TestEdge_Packs(t *testing.T) {
	t.Parallel()
	d := open(t)
	text := strings.Repeat("ลงทะเบียน ", 500)
	d.serve(t, "ui", "127.0.0.2", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/reg" || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			_, _ = io.WriteString(w, text)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Vary", "Accept-Encoding")
		packed := gzip.NewWriter(w)
		_, _ = io.WriteString(packed, text)
		_ = packed.Close()
	})
	for _, tc := range []struct{ path, takes, want string }{
		{"/", "gzip, deflate, br, zstd", "gzip"},
		{"/", "gzip", "gzip"},
		{"/", "", ""},
		{"/", "gzip;q=0", ""},
		{"/reg", "gzip, deflate, br, zstd", "zstd"},
		{"/reg", "gzip", "gzip"},
		{"/reg", "", ""},
	} {
		got := get(t, d.pages, tc.path, "Accept-Encoding", tc.takes)
		if got.header.Get("Content-Encoding") != tc.want || unpack(t, tc.want, got.body) != text {
			t.Errorf("%s to %q: encoding %q, want %q and the text", tc.path, tc.takes, got.header.Get("Content-Encoding"), tc.want)
		}
	}
}

func unpack(t *testing.T, encoding, body string) string {
	t.Helper()
	var from io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		from, err = gzip.NewReader(from)
	case "zstd":
		from, err = zstd.NewReader(from)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A replica that is gone costs nobody a request, whatever the name server says. As
// those that stop in order do, it says at each answer that the connection ends.
func TestEdge_GoesToAnotherReplica(t *testing.T) {
	t.Parallel()
	d := open(t)
	gone := d.task(t, "127.0.0.2", say("first"))
	gone.Config.SetKeepAlivesEnabled(false)
	d.task(t, "127.0.0.3", say("second"))
	d.names.set("otp-gateway", "127.0.0.2", "127.0.0.3")
	eventually(t, "both are asked", func() bool {
		return strings.HasPrefix(get(t, d.otp, "/").body, "first") && strings.HasPrefix(get(t, d.otp, "/").body, "second")
	})
	gone.Close()
	for range 20 {
		if got := ask(t, request(t, http.MethodPost, d.otp, "/getotp", "{}")); got.status != 200 || !strings.HasPrefix(got.body, "second") {
			t.Fatalf("POST = %+v, want the answer of the replica that is left", got)
		}
	}
}

// A request whose connection broke goes to another replica as it was, by the same
// names, though it may have arrived.
func TestEdge_Repeats(t *testing.T) {
	t.Parallel()
	d := open(t)
	var mu sync.Mutex
	seen := map[string][]string{}
	diesOnce := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[r.URL.Path] = append(seen[r.URL.Path], string(body)+" "+r.Header.Get("X-Request-Id")+" "+r.Header.Get("Idempotency-Key"))
		if len(seen[r.URL.Path]) == 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "done")
	}
	for i, name := range []string{"ui", "otp-gateway", "register-gateway"} {
		ips := []string{fmt.Sprintf("127.0.0.%d", 2+2*i), fmt.Sprintf("127.0.0.%d", 3+2*i)}
		for _, ip := range ips {
			d.task(t, ip, diesOnce)
		}
		d.names.set(name, ips...)
	}
	const key = "given-by-the-client"
	for _, tc := range []struct {
		addr, path string
		given      []string
		keyed      bool
	}{
		{d.pages, "/reg", nil, false},
		{d.otp, "/getotp", nil, true},
		{d.otp, "/authen/", []string{"Idempotency-Key", key}, true},
		{d.register, "/register", nil, false},
	} {
		body := strings.Repeat("x", 60_000)
		got := ask(t, request(t, http.MethodPost, tc.addr, tc.path, body, tc.given...))
		mu.Lock()
		sent := seen[tc.path]
		mu.Unlock()
		if got.status != 200 || got.body != "done" || len(sent) != 2 || sent[0] != sent[1] {
			t.Fatalf("%s: %d %q after %d requests, want the second one's answer", tc.path, got.status, got.body, len(sent))
		}
		words := strings.Split(sent[0], " ")
		if words[0] != body || words[1] == "" || (words[2] != "") != tc.keyed || tc.given != nil && words[2] != key {
			t.Errorf("%s: %d bytes, request %q, key %q", tc.path, len(words[0]), words[1], words[2])
		}
	}
}

// An import is not kept for a repeat.
func TestEdge_SendsAnImportOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	h, asked := counting(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	d.task(t, "127.0.0.2", h)
	d.task(t, "127.0.0.3", h)
	d.names.set("otp-gateway", "127.0.0.2", "127.0.0.3")
	got := ask(t, request(t, http.MethodPost, d.otp, "/create_email_list", strings.Repeat("x", 100_000)))
	if got.status != 503 || asked.Load() != 1 {
		t.Errorf("answer %d after %d requests, want 503 after one", got.status, asked.Load())
	}
}

// A machine that dies with requests on its connections costs them some seconds, and
// one that is slow costs them nothing but its time.
func TestEdge_NoticesADeadMachine(t *testing.T) {
	t.Parallel()
	d := open(t)
	slow := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(2 * task.Patience):
			_, _ = io.WriteString(w, "slow")
		}
	}
	d.task(t, "127.0.0.2", slow)
	d.names.set("ui", "127.0.0.2")
	d.task(t, "127.0.0.4", say("second"))
	dead, died := mute(t, "127.0.0.3", d.names.port)
	d.names.set("otp-gateway", "127.0.0.3")
	waiting := make(chan answer, 1)
	go func() {
		a, err := try(request(t, http.MethodPost, d.pages, "/reg", "x"))
		if err != nil {
			t.Errorf("the slow one: %v", err)
		}
		waiting <- a
	}()
	begun := time.Now()
	go func() {
		<-died
		_ = dead.Close()
		d.names.set("otp-gateway", "127.0.0.4")
	}()
	if got := ask(t, request(t, http.MethodPost, d.otp, "/getotp", "{}")); got.body != "second POST /getotp" {
		t.Errorf("answer = %+v, want that of the replica that lives", got)
	}
	if took := time.Since(begun); took > 3*task.Patience {
		t.Errorf("it took %v", took)
	}
	if got := <-waiting; got.body != "slow" {
		t.Errorf("the slow one: %+v", got)
	}
}

// Nobody there: a page in both languages, a problem for clients, a time to come
// back, and no address in the log.
func TestEdge_NobodyThere(t *testing.T) {
	t.Parallel()
	d := open(t)
	page := get(t, d.pages, "/reg", "User-Agent", "somebody's browser")
	if page.status != 503 || page.header.Get("Retry-After") == "" || page.header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(page.body, "ขออภัย") || !strings.Contains(page.body, "try again") {
		t.Errorf("page = %+v", page)
	}
	for _, addr := range []string{d.otp, d.register} {
		problem := get(t, addr, "/docs")
		if problem.status != 503 || problem.header.Get("Retry-After") == "" || !strings.Contains(problem.body, "urn:matriq:problem:unavailable") ||
			problem.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("problem = %+v", problem)
		}
	}
	if log := d.log.String(); !strings.Contains(log, "lookup otp-gateway") || strings.Contains(log, "remote_ip") || strings.Contains(log, "somebody") {
		t.Errorf("the log has to tell the failure and not the person:\n%s", log)
	}
}

// The first page outlives the pages for a while.
func TestEdge_GivesTheOldPageWhenUIIsGone(t *testing.T) {
	t.Parallel()
	d := open(t)
	ui := d.serve(t, "ui", "127.0.0.2", front("page", "Cache-Control", "public, max-age=1"))
	get(t, d.pages, "/")
	ui.Close()
	d.names.set("ui")
	eventually(t, "the page is stale", func() bool {
		got := get(t, d.pages, "/")
		if got.status != 200 || got.body != "page" {
			t.Fatalf("%+v, want the page all the time", got)
		}
		return strings.Contains(got.header.Get("Cache-Status"), "ttl=-")
	})
}

// Who sends slowly is cut off: headers, and a body.
func TestEdge_SlowSenders(t *testing.T) {
	t.Parallel()
	d := open(t, "EDGE_PATIENCE=500ms")
	d.serve(t, "ui", "127.0.0.2", func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Error("the whole body arrived")
		}
	})
	for name, sent := range map[string]string{
		"half a header": "GET / HTTP/1.1\r\nHost: loc",
		"half a body":   "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nemail=",
		"half a chunk":  "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nemail=",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.pages)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			status, err := bufio.NewReader(conn).ReadString('\n')
			if strings.Contains(status, " 200 ") || time.Since(begun) > patience/2 {
				t.Errorf("after %v: %q, %v; want an end, soon", time.Since(begun), status, err)
			}
		})
	}
}

func TestEdge_Limits(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.serve(t, "ui", "127.0.0.2", func(_ http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); n > 0 || err != nil {
			t.Errorf("%d bytes of a long body came through, %v", n, err)
		}
	})
	// The client says that it will not use the connection again, and writes more than a
	// connection holds: it must have come to its end before the edge answers and closes.
	for _, size := range []int{70_000, 250_000} {
		for name, length := range map[string]int64{"of said length": int64(size), "of unsaid length": -1} {
			for range 100 {
				long := request(t, http.MethodPost, d.pages, "/", strings.Repeat("x", size))
				long.ContentLength = length
				if got := ask(t, long); got.status != 413 {
					t.Fatalf("a body of %d bytes %s = %d, want 413", size, name, got.status)
				}
			}
		}
	}
	begun := time.Now()
	if status, invited := asksFirst(t, d.pages, 70_000); status != 413 || invited || time.Since(begun) > patience/4 {
		t.Errorf("who asked whether to send a long body got %d after %v, told to send it: %v; want 413 alone, soon", status, time.Since(begun), invited)
	}
	if got := get(t, d.pages, "/", "X-Long", strings.Repeat("x", 32<<10)); got.status != 431 {
		t.Errorf("a long header = %d, want 431", got.status)
	}
}

// asksFirst posts a body of size bytes once it is told to.
func asksFirst(t *testing.T, addr string, size int) (status int, invited bool) {
	t.Helper()
	trace := &httptrace.ClientTrace{Got100Continue: func() { invited = true }}
	r := request(t, http.MethodPost, addr, "/", strings.Repeat("x", size), "Expect", "100-continue")
	transport := &http.Transport{ExpectContinueTimeout: patience}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return response.StatusCode, invited
}

// Who has a connection is told with an answer that it ends, before it does.
func TestEdge_SaysGoodbye(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.serve(t, "ui", "127.0.0.2", say("ui"))
	d.serve(t, "otp-gateway", "127.0.0.3", say("otp-gateway"))
	for _, addr := range []string{d.pages, d.otp} {
		keeping := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
		post := func() (closed bool) {
			response, err := keeping.Do(request(t, http.MethodPost, addr, "/getotp", "{}"))
			if err != nil {
				t.Fatalf("a request on a connection that was kept: %v", err)
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
				t.Fatalf("%s: %v", response.Status, err)
			}
			return response.Close
		}
		if post() {
			t.Fatal("the connection ends before the edge leaves")
		}
		defer func() {
			eventually(t, "the end is told", post)
		}()
	}
	if err := d.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// A request under way is finished when the edge is asked to stop.
func TestEdge_StopsInOrder(t *testing.T) {
	t.Parallel()
	d := open(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	d.serve(t, "otp-gateway", "127.0.0.2", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	finished := make(chan answer, 1)
	go func() {
		a, err := try(request(t, http.MethodPost, d.otp, "/getotp", "{}"))
		if err != nil {
			t.Errorf("the request under way: %v", err)
		}
		finished <- a
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() { d.stop(t); close(stopped) }()
	eventually(t, "no new connections are taken", func() bool {
		_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", d.otp)
		return err != nil
	})
	close(release)
	if got := <-finished; got.body != "done" {
		t.Errorf("answer = %+v", got)
	}
	<-stopped
}

func TestEdge_TellsAnOperator(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.serve(t, "ui", "127.0.0.2", say("ui"))
	get(t, d.pages, "/")
	for _, want := range []string{"caddy_http_requests_total", `matriq_edge_cache_answers_total{result="passed"} 1`} {
		if got := get(t, d.admin, "/metrics"); !strings.Contains(got.body, want) {
			t.Errorf("metrics = %+v, want %s", got, want)
		}
	}
	if got := get(t, d.admin, "/config/"); got.status != 404 {
		t.Errorf("the admin API answers: %+v", got)
	}
	if got := get(t, d.pages, "/metrics"); got.body != "ui GET /metrics" {
		t.Errorf("metrics at the public door: %+v", got)
	}
	for command, want := range map[string]string{"version": "edge devel", "help": "edge healthcheck", "check": ""} {
		if out, err := d.command(command).CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s = %s, %v", command, out, err)
		}
	}
	d.stop(t)
	if out, err := d.command("healthcheck").CombinedOutput(); err == nil {
		t.Errorf("healthcheck of one that has stopped: %s, want a failure", out)
	}
}

// With a name everything is HTTPS, the REST API too, and HTTP leads there.
func TestEdge_TLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	for name, tc := range map[string]struct {
		source string
		trust  *tls.Config
	}{
		//nolint:gosec // G402: that CA is born with the edge
		"a CA of its own": {"internal", &tls.Config{InsecureSkipVerify: true}},
		"files":           {cert + " " + key, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, "EDGE_SITE=localhost", "EDGE_TLS="+tc.source)
			d.serve(t, "ui", "127.0.0.2", say("ui"))
			d.serve(t, "otp-gateway", "127.0.0.3", say("otp-gateway"))
			over := &http.Client{Transport: &http.Transport{TLSClientConfig: tc.trust}}
			for addr, want := range map[string]string{d.https: "ui GET /reg", d.otp: "otp-gateway GET /reg"} {
				eventually(t, "HTTPS is served", func() bool {
					r := request(t, http.MethodGet, "localhost:"+portOf(addr), "/reg", "")
					r.URL.Scheme = "https"
					response, err := over.Do(r)
					if err != nil {
						return false
					}
					defer func() { _ = response.Body.Close() }()
					body, err := io.ReadAll(response.Body)
					return err == nil && string(body) == want
				})
			}
			checkEnd(t, get(t, d.admin, "/metrics").body)
			led := get(t, "localhost:"+portOf(d.pages), "/reg?lang=th")
			if led.status != 308 || led.header.Get("Location") != "https://localhost/reg?lang=th" {
				t.Errorf("HTTP = %d %s, want 308 to HTTPS", led.status, led.header.Get("Location"))
			}
		})
	}
}

// checkEnd fails the test unless the metrics tell of a certificate that is good.
func checkEnd(t *testing.T, metrics string) {
	t.Helper()
	const name = `matriq_edge_certificate_ends_timestamp_seconds{site="localhost"} `
	_, after, found := strings.Cut(metrics, "\n"+name)
	value, _, _ := strings.Cut(after, "\n")
	end, err := strconv.ParseFloat(value, 64)
	if !found || err != nil {
		t.Fatalf("no %s in\n%s", name, metrics)
	}
	if end := time.Unix(int64(end), 0); time.Until(end) <= 0 || time.Until(end) > 24*time.Hour {
		t.Errorf("the certificate ends at %v, want within a day", end)
	}
}

// certificate writes one for localhost, and its key.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	if parsed, err := x509.ParseCertificate(cert); err == nil {
		pool.AddCert(parsed)
	}
	return writePEM(t, "CERTIFICATE", cert), writePEM(t, "PRIVATE KEY", secret), pool
}

func writePEM(t *testing.T, kind string, bytes []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.ToLower(strings.ReplaceAll(kind, " ", "_")))
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
