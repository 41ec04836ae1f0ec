package security_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// TestEdge attacks what is deployed at the door: the edge with its Caddyfile, once
// before all replicas in turn and once, for bytes, straight before one of each.
func TestEdge(t *testing.T) { //nolint:paralleltest // one after the other: some measure
	addr := freeAddr(t)
	binary := harness.CompileEdge(t)
	s := startSystem(t, map[string]string{"PUBLIC_ORIGIN": "http://" + addr})
	e := harness.StartEdge(t, binary, addr, s.Behind(t), nil)
	for _, trial := range edgeTrials() { //nolint:paralleltest // the same
		t.Run(trial.name, func(t *testing.T) { trial.run(t, &door{s, e, binary}) })
	}
}

// door is a system behind the edge.
type door struct {
	*system
	edge   harness.DeployedEdge
	binary string
}

// before starts one more edge.
func (d *door) before(t *testing.T, b harness.Behind, settings map[string]string) harness.DeployedEdge {
	t.Helper()
	return harness.StartEdge(t, d.binary, freeAddr(t), b, settings)
}

// edgeTrial is an attack on the system from before the edge.
type edgeTrial struct {
	name string
	run  func(*testing.T, *door)
}

func edgeTrials() []edgeTrial {
	return []edgeTrial{
		{"Source", edgeSource},
		{"Balancer", edgeBalancer},
		{"PeopleTakeTurns", func(t *testing.T, d *door) { turns(t, d.system, "http://"+d.edge.Pages) }},
		{"ForeignForms", func(t *testing.T, d *door) { strangeForms(t, d.system, "http://"+d.edge.Pages) }},
		{"Hosts", func(t *testing.T, d *door) { strangeHosts(t, d.system, "http://"+d.edge.Pages) }},
		{"Headers", edgeHeaders},
		{"FirstPage", edgeFirstPage},
		{"Bodies", edgeBodies},
		{"Bytes", edgeBytes},
		{"NobodyBehind", nobodyBehind},
		{"SlowSenders", func(t *testing.T, d *door) {
			besideSlow(t, d.edge.Pages, "http://"+d.edge.Pages+"/start", edgePatience)
		}},
		{"NobodyPanicked", func(t *testing.T, d *door) { nobodyPanicked(t, d.system) }},
	}
}

// edgePatience is how long the edge bears with a head that does not end.
const edgePatience = 2 * slowPatience

// forged are headers by which a client says who it is; some have an address that
// changes with i.
func forged(i int) http.Header {
	hop := fmt.Sprintf("198.51.100.%d", i%250)
	return http.Header{
		"X-Forwarded-For": {hop, "127.0.0.1"}, "X-Real-Ip": {hop}, "Forwarded": {"for=" + hop + ";host=evil.example;proto=https"},
		"True-Client-Ip": {hop}, "Cf-Connecting-Ip": {hop}, "X-Client-Ip": {hop}, "X-Cluster-Client-Ip": {hop}, "X-Request-Id": {"forged-" + hop + "-0123456789"},
	}
}

// askThrough asks for a code at the edge from a source, with more headers.
func askThrough(t *testing.T, s *system, e harness.DeployedEdge, source string, header http.Header) harness.Answer {
	t.Helper()
	g := e.Gateways()
	g.HTTP = &http.Client{Transport: withHeader{harness.ClientFrom(source).Transport, header}}
	return g.PostJSON(t, g.OTP+restapi.PathGetOTP, restapi.GetOTPRequest{Email: s.address()})
}

// withHeader adds headers.
type withHeader struct {
	http.RoundTripper
	header http.Header
}

// RoundTrip implements [http.RoundTripper].
func (w withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	maps.Copy(r.Header, w.header)
	return w.RoundTripper.RoundTrip(r)
}

// Threat: as for [forgedSource]; the client is at the edge and writes whatever it
// likes. Promise: behind the edge it is the address of its connection, at the
// calls and at the pages, and nobody else's.
func edgeSource(t *testing.T, d *door) {
	s, e := d.system, d.edge
	source := s.source()
	for i := range sourceLimit {
		if a := askThrough(t, s, e, source, forged(i)); a.Status != http.StatusOK {
			t.Fatalf("request %d is answered with %d: %s", i+1, a.Status, a.Body)
		} else if id := a.Header.Get("X-Request-Id"); strings.Contains(id, "forged") {
			t.Errorf("the request ID is the client's: %q", id)
		}
	}
	refused(t, askThrough(t, s, e, source, forged(sourceLimit)), "source_limit", sourceWindow)
	page := harness.NewPerson(t, "http://"+e.Pages, "en").From(source).Open(t, "/").Submit(t, map[string]string{"email": s.address()})
	page.Has(t, "/start", "Too many requests come from your network")
	if a := askThrough(t, s, e, s.source(), nil); a.Status != http.StatusOK {
		t.Errorf("another source is answered with %d: %s", a.Status, a.Body)
	}
}

// Promise: a balancer that EDGE_TRUSTED_PROXIES names tells the client's address by
// the right end of X-Forwarded-For; who is no balancer does not.
func edgeBalancer(t *testing.T, d *door) {
	const balancer = "127.250.0.1"
	s := d.system
	e := d.before(t, s.Behind(t), map[string]string{"EDGE_TRUSTED_PROXIES": balancer + "/32"})
	through := func(peer, hops string) harness.Answer {
		return askThrough(t, s, e, peer, http.Header{"X-Forwarded-For": {hops}})
	}
	stranger := s.source()
	for i := range sourceLimit {
		for _, a := range []harness.Answer{
			through(balancer, fmt.Sprintf("198.51.100.%d, 203.0.113.77", i)), through(stranger, fmt.Sprintf("203.0.113.%d", 100+i)),
		} {
			if a.Status != http.StatusOK {
				t.Fatalf("request %d is answered with %d: %s", i+1, a.Status, a.Body)
			}
		}
	}
	refused(t, through(balancer, "198.51.100.200, 203.0.113.77"), "source_limit", sourceWindow)
	refused(t, through(stranger, "203.0.113.200"), "source_limit", sourceWindow)
	if a := through(balancer, "203.0.113.78"); a.Status != http.StatusOK {
		t.Errorf("another client of the balancer is answered with %d: %s", a.Status, a.Body)
	}
}

// Promise: what [pageHeaders] and [gatewayHeaders] promise holds at the door, for
// what the edge answers itself too.
func edgeHeaders(t *testing.T, d *door) {
	s, e := d.system, d.edge
	for _, path := range []string{"/", "/?lang=th", "/start", "/authen", "/done", "/resend", "/no/such/page", "/static/none.css", "/metrics", "/healthz", "/%2e%2e/etc/passwd"} {
		a := visits(t, s, "http://"+e.Pages+path, http.Header{"Accept-Encoding": {"zstd, gzip"}})
		wantHeaders(t, &harness.Page{Header: a.Header, Status: a.Status, URL: request(t, http.MethodGet, s.UI.URL+path, nil, nil).URL})
		if a.Header.Get("Via") != "" || path == "/metrics" && a.Status != http.StatusNotFound || path == "/healthz" && a.Status != http.StatusNotFound {
			t.Errorf("%s is answered with %d and %v", path, a.Status, a.Header)
		}
	}
	for _, origin := range []string{"http://" + e.OTP, "http://" + e.Register} {
		wantAPIHeaders(t, s, origin)
	}
}

// Threat: a copy of a page that knows somebody is kept and served to the next; a
// cookie is kept with a page. Promise: the edge keeps the first page and the files
// it needs, one copy for everybody; neither has a cookie, whatever the request
// had; nothing that belongs to a journey is kept.
func edgeFirstPage(t *testing.T, d *door) {
	s, url := d.system, "http://"+d.edge.Pages
	email := s.address()
	cookie := cookieOf(t, s, url, email)
	hits := 0
	for range 6 {
		for _, path := range []string{"/", "/?lang=th", "/?ended"} {
			a := visits(t, s, url+path, http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}, "Accept-Language": {"en"}})
			if a.Status != http.StatusOK || len(a.Header.Values("Set-Cookie")) > 0 || strings.Contains(string(a.Body), email) || strings.Contains(string(a.Body), "journey") {
				t.Errorf("%s is answered with %d, cookies %q:\n%s", path, a.Status, a.Header.Values("Set-Cookie"), a.Body)
			}
			if strings.Contains(a.Header.Get("Cache-Status"), "hit") {
				hits++
				wantHeaders(t, &harness.Page{Header: a.Header, Status: a.Status, URL: request(t, http.MethodGet, s.UI.URL+path, nil, nil).URL})
			}
		}
	}
	if hits == 0 {
		t.Error("the edge keeps no copy: nothing was tested")
	}
	for _, path := range []string{"/authen", "/start", "/reg", "/done"} {
		for _, with := range []bool{true, false, true} {
			header := http.Header{"Accept-Language": {"en"}}
			if with {
				header.Set("Cookie", cookie.Name+"="+cookie.Value)
			}
			a := visits(t, s, url+path, header)
			if strings.Contains(a.Header.Get("Cache-Status"), "hit") || !with && strings.Contains(string(a.Body), email) {
				t.Errorf("%s, cookie %v, is a copy: %v\n%s", path, with, a.Header, a.Body)
			}
			if path == "/authen" && with && !strings.Contains(string(a.Body), email) {
				t.Errorf("the owner of the session does not see it: %d", a.Status)
			}
		}
	}
}

// visits asks for a page as a browser does, with no credential.
func visits(t *testing.T, s *system, url string, header http.Header) harness.Answer {
	t.Helper()
	req := request(t, http.MethodGet, url, nil, header)
	req.Header.Del("Authorization")
	return answerTo(t, s, req)
}

// Promise: bodies that are too long or packed are refused at the door or behind
// it, and cost neither much.
func edgeBodies(t *testing.T, d *door) {
	// Straight before the replicas: the test's own edge does not read an answer
	// that comes while it writes.
	s, e := d.system, d.before(t, d.straight(t), nil)
	const form = "application/x-www-form-urlencoded"
	own := http.Header{"Content-Type": {form}, "Sec-Fetch-Site": {"same-origin"}}
	for what, size := range map[string]int{"more than a form": 5_000, "more than the edge takes": 66_000} {
		a := send(t, s, http.MethodPost, "http://"+e.Pages+"/", strings.NewReader("email="+strings.Repeat("a", size)), own)
		if a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s is answered with %d", what, a.Status)
		}
		wantEdgesOwn(t, a.Header)
		for _, url := range []string{"http://" + e.OTP + restapi.PathGetOTP, "http://" + e.Register + restapi.PathRegister} {
			a := send(t, s, http.MethodPost, url, strings.NewReader(`{"email":"`+strings.Repeat("a", size)+`"}`), http.Header{"Content-Type": {"application/json"}})
			if a.Status != http.StatusRequestEntityTooLarge || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s at %s is answered with %d: %v", what, url, a.Status, a.Header)
			}
		}
	}
	packed := string(bomb(t, 100<<20)[:60_000])
	for url, kind := range map[string]string{
		"http://" + e.Pages + "/": form, "http://" + e.OTP + restapi.PathGetOTP: "application/json",
		"http://" + e.OTP + restapi.PathImport: "application/json", "http://" + e.Register + restapi.PathRegister: "application/json",
	} {
		a := send(t, s, http.MethodPost, url, strings.NewReader(packed), http.Header{
			"Content-Type": {kind}, "Content-Encoding": {"gzip"}, "Sec-Fetch-Site": {"same-origin"},
		})
		if !slices.Contains([]int{http.StatusUnsupportedMediaType, http.StatusRequestEntityTooLarge}, a.Status) {
			t.Errorf("%s unpacks: %d", url, a.Status)
		}
	}
	for name, length := range map[string]string{"a length": fmt.Sprintf("Content-Length: %d", 200<<20), "no end": "Transfer-Encoding: chunked"} {
		if status := pouredAt(t, e.OTP, restapi.PathImport, length); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a list with %s is answered with %d", name, status)
		}
	}
}

// Promise: where no replica answers, the edge says so itself, with the headers of
// a page and of a problem; nothing of it may be kept, framed or run.
func nobodyBehind(t *testing.T, d *door) {
	e := d.before(t, noReplicas(t), nil)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, url := range []string{e.Pages + "/start", e.OTP + "/getotp", e.Register + "/register"} {
			t.Run(method+" "+url, func(t *testing.T) {
				t.Parallel() // the edge tries for a while
				a := send(t, d.system, method, "http://"+url, nil, nil)
				if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
					t.Errorf("answer %d: %v", a.Status, a.Header)
				}
				wantEdgesOwn(t, a.Header)
				if strings.HasPrefix(url, e.Pages) {
					wantStyleByHash(t, a)
				} else if p := a.Problem(t); a.Header.Get("Content-Type") != "application/problem+json" || p.Type == "" {
					t.Errorf("the answer is no problem: %v", a.Header)
				}
			})
		}
	}
}

// wantEdgesOwn fails the test unless an answer of the edge itself has what every
// answer has.
func wantEdgesOwn(t *testing.T, header http.Header) {
	t.Helper()
	if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Referrer-Policy") != "no-referrer" || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("Cache-Control") != "no-store" || header.Get("Server") != "" || header.Get("Set-Cookie") != "" {
		t.Errorf("the edge's own answer has %v", header)
	}
}
