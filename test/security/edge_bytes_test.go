package security_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"matriq/test/harness"
)

// smuggled is a request inside of another.
const smuggled = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Smuggled: yes\r\n\r\n"

// smugglers are requests of which two servers in a row may find different ends.
func smugglers() map[string]string {
	shapes := map[string]string{}
	post := func(name, header, body string) {
		shapes[name] = "POST /authen HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n" + header + "\r\n\r\n" + body
	}
	end := "0\r\n\r\n" + smuggled
	length := fmt.Sprintf("Content-Length: %d", len(end))
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)
	post("a length and chunks", length+"\r\nTransfer-Encoding: chunked", end)
	post("chunks and a length", "Transfer-Encoding: chunked\r\nContent-Length: 4", chunk)
	post("chunks, to another's eyes", length+"\r\nTransfer-Encoding: xchunked", end)
	post("a space before the colon", length+"\r\nTransfer-Encoding : chunked", end)
	post("a tab before chunked", length+"\r\nTransfer-Encoding:\tchunked", end)
	post("a vertical tab before chunked", length+"\r\nTransfer-Encoding: \vchunked", end)
	post("a bare line feed", length+"\r\nX: x\nTransfer-Encoding: chunked", end)
	post("a bare carriage return", length+"\r\nX: x\rTransfer-Encoding: chunked", end)
	post("a folded line", length+"\r\nTransfer-Encoding:\r\n chunked", end)
	post("identity behind", length+"\r\nTransfer-Encoding: chunked, identity", end)
	post("identity before", length+"\r\nTransfer-Encoding: identity, chunked", end)
	post("chunked twice", length+"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", end)
	post("in capitals", length+"\r\nTRANSFER-ENCODING: CHUNKED", end)
	post("in quotes", length+"\r\nTransfer-Encoding: \"chunked\"", end)
	post("two lengths", "Content-Length: 5\r\nContent-Length: 66", "hello"+smuggled)
	post("two lengths the other way", "Content-Length: 66\r\nContent-Length: 5", "hello"+smuggled)
	post("lengths by comma", "Content-Length: 5, 66", "hello"+smuggled)
	post("a signed length", "Content-Length: +5", "hello"+smuggled)
	post("a length in hexadecimal", "Content-Length: 0x5", "hello"+smuggled)
	post("a length with an underscore", "Content_Length: 66\r\nContent-Length: 5", "hello"+smuggled)
	post("no length", "X: x", smuggled)
	post("the length as a hop's", "Connection: Content-Length\r\n"+length, end)
	post("the chunks as a hop's", "Connection: Transfer-Encoding\r\n"+length+"\r\nTransfer-Encoding: chunked", end)
	post("a chunk too long for a number", "Transfer-Encoding: chunked", "ffffffffffffffff1\r\n"+smuggled)
	post("a chunk with a sign", "Transfer-Encoding: chunked", "-1\r\n\r\n"+smuggled)
	post("a chunk that ends by a line feed", "Transfer-Encoding: chunked", "0\n\n"+smuggled)
	post("an extension that ends by a line feed", "Transfer-Encoding: chunked", "0;a=\n\r\n\r\n"+smuggled)
	post("a length in the trailer", "Transfer-Encoding: chunked\r\nTrailer: Content-Length", "0\r\nContent-Length: 66\r\n\r\n"+smuggled)
	post("a body that is waited for", "Expect: 100-continue\r\n"+length, end)
	post("another protocol", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"+length, end)
	shapes["a GET with a body"] = "GET /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 66\r\n\r\n" + smuggled
	shapes["HTTP/1.0 in chunks"] = "POST /authen HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk
	shapes["a whole URL"] = "GET http://evil.example/start HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	shapes["a line end in the target"] = "GET /start%0d%0aX:%20y HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
	return shapes
}

// Threat: the edge and a replica find different ends of a request, so that part of
// one client's body is the beginning of the next client's request. Promise: the
// replica never hears more requests than the edge gives answers, and whoever comes
// next gets the own answer; and the edge takes no more than one of [hostileBytes].
func edgeBytes(t *testing.T, d *door) {
	s, e := d.system, d.before(t, d.straight(t), nil)
	services := map[string]string{"ui": e.Pages, "otp-gateway": e.OTP, "register-gateway": e.Register}
	for service, addr := range services {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			for name, text := range smugglers() {
				smuggles(t, s, service, addr, name, text)
			}
			wantFewAnswers(t, service, addr)
		})
	}
}

// smuggles sends one of the smugglers to a service at addr.
func smuggles(t *testing.T, s *system, service, addr, name, text string) {
	t.Helper()
	before := s.heard(t, service)
	answers := spokenTo(t, addr, text)
	if heard := s.heard(t, service) - before; heard > float64(len(answers)) {
		t.Errorf("%s hears %v requests in %s, to which the edge gives the answers %v", service, heard, name, answers)
	}
	// 503 is for a client that has gone, as this one seems to have.
	if slices.ContainsFunc(answers, func(status int) bool {
		return status == http.StatusInternalServerError || status == http.StatusBadGateway || status == http.StatusGatewayTimeout
	}) {
		t.Errorf("%s: %s is answered with %v", service, name, answers)
	}
	begin := time.Now()
	next := send(t, s, http.MethodGet, "http://"+addr+"/next", nil, nil)
	if took := time.Since(begin); next.Status != http.StatusNotFound || took > nextPatience {
		t.Errorf("%s: after %s the next is answered with %d in %v", service, name, next.Status, took)
	}
}

// nextPatience is less than the edge leaves out a replica for that it believes to
// have failed.
const nextPatience = 4 * time.Second

// heard is how many requests the replicas of a service have dealt with.
func (s *system) heard(t *testing.T, service string) (n float64) {
	t.Helper()
	n = -1
	eventually(t, "no request is under way", 10*time.Second, func() bool {
		last := n
		n = s.counter(t, service, "matriq_http_requests_total")
		return n == last
	})
	return n
}

var (
	style  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	inline = regexp.MustCompile(`(?s)<style[ >]|<script|<[^>]* (style|on[a-z]+)=`)
)

// wantStyleByHash fails the test unless the only style of a page is the one whose
// hash its policy allows, and nothing else of it could run.
func wantStyleByHash(t *testing.T, a harness.Answer) {
	t.Helper()
	policy := a.Header.Get("Content-Security-Policy")
	found := style.FindAllSubmatch(a.Body, -1)
	if len(found) != 1 || len(inline.FindAll(a.Body, -1)) != 1 {
		t.Fatalf("the page has %d styles, or more that is inline:\n%s", len(found), a.Body)
	}
	sum := sha256.Sum256(found[0][1])
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
		t.Errorf("the policy is %q, want %q in it", policy, want)
	}
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy is %q, want %q in it", policy, part)
		}
	}
}
