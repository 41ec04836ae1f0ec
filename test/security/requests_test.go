package security_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

// requestTrials are requests that no honest client sends.
func requestTrials() []trial {
	return []trial{
		{"HostileBodies", hostileBodies},
		{"HostileTypes", hostileTypes},
		{"HostileMethods", hostileMethods},
		{"HostileHosts", hostileHosts},
		{"HostileLists", hostileLists},
		{"HostileForms", hostileForms},
		{"HostileBytes", hostileBytes},
		{"NobodyPanicked", nobodyPanicked},
	}
}

// call is one call of the REST API with a small body.
type call struct {
	url  string
	keys []string
}

func (s *system) calls() []call {
	return []call{
		{s.OTPGateway.URL + restapi.PathGetOTP, []string{"email"}},
		{s.OTPGateway.URL + restapi.PathAuthen, []string{"email", "otp"}},
		{s.RegisterGateway.URL + restapi.PathRegister, []string{"firstname", "lastname", "email"}},
	}
}

// body is an object with the value for every key, the first key's instead of
// the last ones where there are more values.
func (c call) body(value string) string {
	var fields []string
	for _, key := range c.keys {
		fields = append(fields, fmt.Sprintf("%q:%s", key, value))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// maxBody is the limit of small bodies, as shipped.
const maxBody = 4 << 10

type hostile struct {
	body   string
	status int
	reason string
}

// hostiles are bodies that c refuses before anybody else hears of them. All but
// those that say so are good bodies with one thing wrong.
func (c call) hostiles() map[string]hostile {
	good := c.body(`"a@example.ac.th"`)
	first, rest := c.keys[0], good[1:]
	with := func(field string) string { return "{" + field + "," + rest }
	list := map[string]hostile{
		"nothing":                 {"", 400, "bad_json"},
		"space":                   {" \r\n", 400, "bad_json"},
		"a second document":       {good + good, 400, "bad_json"},
		"a second one in a line":  {good + "\n" + good, 400, "bad_json"},
		"something behind it":     {good + "]", 400, "bad_json"},
		"a nul behind it":         {good + "\x00", 400, "bad_json"},
		"a comment":               {"/* */" + good, 400, "bad_json"},
		"a comma too many":        {strings.TrimSuffix(good, "}") + ",}", 400, "bad_json"},
		"single quotes":           {strings.ReplaceAll(good, `"`, `'`), 400, "bad_json"},
		"a byte order mark":       {"\ufeff" + good, 400, "bad_json"},
		"UTF-16":                  {"\xff\xfe{\x00}\x00", 400, "bad_json"},
		"half a character":        {strings.Replace(good, "a@", "\xe0\xb8@", 1), 400, "bad_json"},
		"a control in a string":   {strings.Replace(good, "a@", "a\x01@", 1), 400, "bad_json"},
		"broken off":              {good[:len(good)-1], 400, "bad_json"},
		"broken off in a string":  {good[:len(good)-3], 400, "bad_json"},
		"a form":                  {first + "=a%40example.ac.th", 400, "bad_json"},
		"XML":                     {`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`, 400, "bad_json"},
		"no object: null":         {"null", 422, "wrong_type"},
		"no object: list":         {"[" + good + "]", 422, "wrong_type"},
		"no object: string":       {`"` + first + `"`, 422, "wrong_type"},
		"no object: number":       {"1e999999", 422, "wrong_type"},
		"empty":                   {"{}", 422, "missing_field"},
		"a key twice":             {with(`"` + first + `":"b@example.ac.th"`), 400, "duplicate_key"},
		"a key twice, once coded": {with(fmt.Sprintf(`"\u%04x%s":"b@example.ac.th"`, first[0], first[1:])), 400, "duplicate_key"},
		"a capital letter":        {strings.Replace(good, first, strings.ToUpper(first[:1])+first[1:], 1), 422, "unknown_field"},
		"the key and its capital": {with(`"` + strings.ToUpper(first) + `":"b@example.ac.th"`), 422, "unknown_field"},
		"a key of the language":   {with(`"__proto__":{"admin":true}`), 422, "unknown_field"},
		"a key of the wire":       {with(`"clientIP":"192.0.2.1"`), 422, "unknown_field"},
		"an empty key":            {with(`"":""`), 422, "unknown_field"},
		"a key with a nul":        {with(`"` + first + `\u0000":""`), 422, "unknown_field"},
		"deep":                    {strings.Repeat("[", maxBody/2) + strings.Repeat("]", maxBody/2), 422, "wrong_type"},
		"deep and open":           {strings.Repeat(`{"a":`, maxBody/5), 400, "bad_json"},
		"deep in a value":         {c.body(strings.Repeat("[", 500) + strings.Repeat("]", 500)), 422, "wrong_type"},
		"a byte too long":         {good + strings.Repeat(" ", maxBody+1-len(good)), 413, "body_too_large"},
		"a megabyte":              {good + strings.Repeat(" ", 1<<20), 413, "body_too_large"},
	}
	for _, value := range []string{"null", "true", "0", "-1", "123456", "1e999999", "[]", `["a@example.ac.th"]`, "{}", `{"$ne":null}`} {
		list["the value "+value] = hostile{c.body(value), 422, "wrong_type"}
	}
	for _, key := range c.keys {
		without := call{keys: slices.DeleteFunc(slices.Clone(c.keys), func(k string) bool { return k == key })}
		list["no "+key] = hostile{without.body(`"a@example.ac.th"`), 422, "missing_field"}
	}
	if strings.Contains(first, "s") {
		// encoding/json takes the long s for an s.
		list["a letter that folds"] = hostile{strings.Replace(good, "s", "\u017f", 1), 422, "unknown_field"}
	}
	return list
}

// Threat: a body that one program reads in one way and the next in another (a
// key twice, in other letters, something behind the end), or that costs a reader
// much (deep, long), or that trips it. Promise: one object with exactly the
// declared keys, each a string, in UTF-8, of 4 KiB at most, whether its length
// was told or not; anything else is the client's fault, is told as a problem, and
// goes no further.
func hostileBodies(t *testing.T, s *system) {
	asked := s.counter(t, "otp", "matriq_rpc_handle_seconds_count")
	for _, call := range s.calls() {
		for name, h := range call.hostiles() {
			for _, told := range []bool{true, false} {
				what := fmt.Sprintf("%s with %s, length told: %v", call.url, name, told)
				wantProblem(t, what, post(t, s, call.url, h.body, told, nil), h.status, h.reason)
			}
		}
	}
	if now := s.counter(t, "otp", "matriq_rpc_handle_seconds_count"); now != asked {
		t.Errorf("otp heard of %v refused bodies", now-asked)
	}

	// The greatest body there may be is taken.
	good := fmt.Sprintf(`{"email":%q}`, s.address())
	if a := post(t, s, s.calls()[0].url, good+strings.Repeat(" ", maxBody-len(good)), true, nil); a.Status != http.StatusOK {
		t.Errorf("a body of %d bytes is answered with %d: %s", maxBody, a.Status, a.Body)
	}
	if now := s.counter(t, "otp", "matriq_rpc_handle_seconds_count"); now != asked+1 {
		t.Errorf("otp heard of %v good bodies, want 1", now-asked)
	}
}

// Threat: a body of another type, which a browser may send anywhere without
// asking, or a packed one that grows a thousandfold. Promise: application/json in
// UTF-8 alone, never packed; 415 for the rest, unread.
func hostileTypes(t *testing.T, s *system) {
	packed := string(bomb(t, 10<<20)[:maxBody])
	for _, call := range s.calls() {
		good := call.body(`"a@example.ac.th"`)
		for _, kind := range []string{
			"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json",
			"application/jsonp", "application/json-seq", "application/json; charset=utf-16", "application/json; charset=tis-620",
			"application/json, text/plain", "application/json;;", "*/*", "application/json\t;x", "json",
		} {
			a := post(t, s, call.url, good, true, http.Header{"Content-Type": {kind}})
			wantProblem(t, fmt.Sprintf("%s as %q", call.url, kind), a, http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
		for _, coding := range []string{"gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "GZIP"} {
			a := post(t, s, call.url, packed, true, http.Header{
				"Content-Type": {"application/json"}, "Content-Encoding": {coding},
			})
			wantProblem(t, fmt.Sprintf("%s packed by %q", call.url, coding), a, http.StatusUnsupportedMediaType, "unsupported_media_type")
		}
	}
}

// Threat: a method that gets around what a call checks, or that changes
// something where a link or a prefetch leads. Promise: 405 with Allow for all
// but the declared ones; GET and HEAD change nothing.
func hostileMethods(t *testing.T, s *system) {
	methods := []string{
		http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		http.MethodTrace, "PROPFIND", "BREW", "post", "QUERY",
	}
	for _, call := range s.calls() {
		for _, method := range methods {
			a := send(t, s, method, call.url, nil, http.Header{
				"X-Http-Method-Override": {"POST"}, "X-Method-Override": {"POST"},
			})
			if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != http.MethodPost {
				t.Errorf("%s %s is answered with %d, Allow %q", method, call.url, a.Status, a.Header.Get("Allow"))
			}
		}
	}
	keys := s.redis.DBSize(t.Context()).Val()
	for path, allow := range map[string]string{
		"/resend": "POST", "/leave": "POST", "/": "GET, HEAD, POST", "/authen": "GET, HEAD, POST", "/reg": "GET, HEAD, POST",
		"/start": "GET, HEAD", "/done": "GET, HEAD", "/done/progress": "GET, HEAD", "/getotpui": "GET, HEAD, POST",
	} {
		for _, method := range append(methods, http.MethodPost) {
			if slices.Contains(strings.Split(allow, ", "), method) {
				continue
			}
			a := send(t, s, method, s.UI.URL+path, nil, http.Header{"Sec-Fetch-Site": {"same-origin"}})
			if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != allow {
				t.Errorf("%s %s is answered with %d, Allow %q, want 405 and %q", method, path, a.Status, a.Header.Get("Allow"), allow)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := send(t, s, method, s.UI.URL+path+"?email=a@example.ac.th&otp=123456&firstname=A&lastname=B", nil, nil)
			if got := a.Header.Values("Set-Cookie"); len(got) > 0 {
				t.Errorf("%s %s sets a cookie: %q", method, path, got)
			}
		}
	}
	if now := s.redis.DBSize(t.Context()).Val(); now > keys {
		t.Errorf("asking for pages left %d keys in Redis", now-keys)
	}
}

// Threat: a Host of the attacker's choice, which ends in a link of a mail or in
// a cache that others are served from. Promise: the pages are served under the
// configured names alone, 421 else; no forwarded name is believed; links have
// the path alone.
func hostileHosts(t *testing.T, s *system) { strangeHosts(t, s, s.UI.URL) }

// strangeHosts is [hostileHosts] for the pages at origin.
func strangeHosts(t *testing.T, s *system, origin string) {
	t.Helper()
	own := strings.TrimPrefix(origin, "http://")
	for _, host := range []string{
		"evil.example", "evil.example:80", own + ".evil.example", "evil.example#" + own, "127.0.0.1.evil.example", "[::2]", "0",
		"2130706433", "127.0.0.1@evil.example", "localhost.evil.example", "xn--lcalhost-0za",
	} {
		for _, path := range []string{"/", "/start", "/authen", "/reg", "/done", "/no/such/page", "/favicon.ico"} {
			req := request(t, http.MethodGet, origin+path, nil, nil)
			req.Host = host
			a := answerTo(t, s, req)
			refused := a.Status == http.StatusMisdirectedRequest || a.Status == http.StatusBadRequest
			if !refused || strings.Contains(string(a.Body), "evil") || a.Header.Get("Location") != "" || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s for the host %q is answered with %d, Location %q:\n%s", path, host, a.Status, a.Header.Get("Location"), a.Body)
			}
		}
	}
	for _, header := range []string{"X-Forwarded-Host", "X-Host", "X-Original-Host", "X-Original-Url", "X-Rewrite-Url", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Prefix"} {
		for _, path := range []string{"/", "/start", "/authen", "/getotpui", "/no/such/page"} {
			a := send(t, s, http.MethodGet, origin+path, nil, http.Header{header: {"evil.example"}, "Accept-Language": {"en"}})
			if strings.Contains(string(a.Body)+fmt.Sprint(a.Header), "evil") {
				t.Errorf("%s believes %s:\n%v\n%s", path, header, a.Header, a.Body)
			}
			if to := a.Header.Get("Location"); to != "" && (to[0] != '/' || strings.HasPrefix(to, "//")) {
				t.Errorf("%s leads to %q, which is more than a path", path, to)
			}
		}
	}
}

// Threat: a list of addresses that is none: endless, deep, packed, of wrong
// types, with a line of gigabytes. Promise: what can be listed is, each bad row
// is reported; the list is read as it arrives, in memory that does not grow with
// it, and refused beyond 64 MiB.
func hostileLists(t *testing.T, s *system) {
	url := s.OTPGateway.URL + restapi.PathImport
	const long = 100 << 10 // a server hangs up when much more is left unread
	for name, h := range map[string]hostile{
		"nothing":           {"", 400, "bad_json"},
		"null":              {"null", 422, "wrong_type"},
		"a list alone":      {`["a@example.ac.th"]`, 422, "wrong_type"},
		"no list":           {`{"emails":"a@example.ac.th"}`, 422, "wrong_type"},
		"an object of rows": {`{"emails":{"0":"a@example.ac.th"}}`, 422, "wrong_type"},
		"another key":       {`{"Emails":[]}`, 422, "unknown_field"},
		"a key too many":    {`{"emails":[],"force":true}`, 422, "unknown_field"},
		"the key twice":     {`{"emails":[],"emails":["a@example.ac.th"]}`, 400, "duplicate_key"},
		"a second document": {`{"emails":[]}{"emails":["a@example.ac.th"]}`, 400, "bad_json"},
		"broken off":        {`{"emails":["a@example.ac.th"`, 400, "bad_json"},
		"deep":              {`{"emails":[` + strings.Repeat("[", 100_000), 400, "bad_json"},
		"an endless row":    {`{"emails":["` + strings.Repeat("a", long) + `"]}`, 400, "bad_json"},
		"endless space":     {`{"emails":[` + strings.Repeat(" ", long) + `]}`, 400, "bad_json"},
		"an endless key":    {`{"` + strings.Repeat("e", long) + `":[]}`, 400, "bad_json"},
		"no good row":       {`{"emails":[` + strings.Repeat("1,", 100_000) + `1]}`, 422, "too_many_rejected"},
	} {
		wantProblem(t, "a list with "+name, post(t, s, url, h.body, true, nil), h.status, h.reason)
	}
	a := post(t, s, url, string(bomb(t, 100<<20)), true, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}})
	wantProblem(t, "a packed list", a, http.StatusUnsupportedMediaType, "unsupported_media_type")

	for _, p := range s.Replicas("otp-gateway") {
		for name, length := range map[string]string{
			"a length that is too much": fmt.Sprintf("Content-Length: %d", 64<<20+1), "no end": "Transfer-Encoding: chunked",
		} {
			if status := pouredAt(t, p.HTTP, restapi.PathImport, length); status != http.StatusRequestEntityTooLarge {
				t.Errorf("a list with %s is answered with %d, want 413", name, status)
			}
		}
	}
	const much = 64 << 20 // less than a list; 29 MiB were measured
	most := 0.0
	for _, p := range s.Replicas("otp-gateway") {
		for line := range strings.Lines(fetch(t, "http://"+p.Admin+"/metrics")) {
			used := valueOf(t, line, "process_resident_memory_bytes", nil)
			most = max(most, used)
			if used > much {
				t.Errorf("%s holds %.0f MiB after long lists", p.Name, used/(1<<20))
			}
		}
	}
	t.Logf("%.0f MiB at most after lists without end", most/(1<<20))
}

// repeating is a text without end.
type repeating struct{ text []byte }

func (r *repeating) Read(p []byte) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], r.text)
	}
	return n, nil
}

// Threat: a form that no page of ours has: of another type, too long, malformed,
// with fields a thousand times, in the address instead of the body. Promise: a
// page that explains it, or the form's own page with what is wrong; never a
// failure, and nothing that the person did not send in the body.
func hostileForms(t *testing.T, s *system) {
	const form = "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		kind, body string
		coding     string
		status     int
	}{
		"JSON":                 {"application/json", `{"email":"a@example.ac.th"}`, "", 415},
		"text":                 {"text/plain", "email=a@example.ac.th", "", 415},
		"parts":                {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=email\r\n\r\na@example.ac.th\r\n--x--", "", 415},
		"no type":              {"", "email=a@example.ac.th", "", 415},
		"packed":               {form, string(bomb(t, 100<<10)), "gzip", 415},
		"too long":             {form, "email=" + strings.Repeat("a", 5000), "", 413},
		"too many fields":      {form, strings.Repeat("email=a&", 1000), "", 413},
		"half an escape":       {form, "email=%4", "", 400},
		"a bad escape":         {form, "email=%zz", "", 400},
		"a semicolon":          {form, "email=a;otp=b", "", 400},
		"nothing":              {form, "", "", 303},
		"no field":             {form, "=&=&&", "", 303},
		"a field of a list":    {form, "email[]=a@example.ac.th", "", 303},
		"a nul":                {form, "email=a%00@example.ac.th", "", 303},
		"half a character":     {form, "email=%e0%b8", "", 303},
		"an escaped line end":  {form, "email=a@example.ac.th%0d%0aBcc:b@example.ac.th", "", 303},
		"a language of theirs": {form, "email=&lang=%22%3E%3Cscript%3E", "", 303},
	} {
		header := http.Header{"Content-Type": {c.kind}, "Sec-Fetch-Site": {"same-origin"}, "Accept-Language": {"en"}}
		if c.coding != "" {
			header.Set("Content-Encoding", c.coding)
		}
		a := send(t, s, http.MethodPost, s.UI.URL+"/", strings.NewReader(c.body), header)
		if a.Status != c.status || c.status == http.StatusSeeOther && !strings.HasPrefix(a.Header.Get("Location"), "/start") {
			t.Errorf("a form with %s is answered with %d to %q, want %d and the same page again", name, a.Status, a.Header.Get("Location"), c.status)
		}
	}
	// What is in the address was not sent by the person's form.
	a := send(t, s, http.MethodPost, s.UI.URL+"/?email=a@example.ac.th", strings.NewReader("lang=en"),
		http.Header{"Content-Type": {form}, "Sec-Fetch-Site": {"same-origin"}})
	if to := a.Header.Get("Location"); a.Status != http.StatusSeeOther || !strings.HasPrefix(to, "/start") {
		t.Errorf("an address in the link leads to %q with %d", to, a.Status)
	}
}

// Threat: bytes that two servers in a row read as different requests, or that
// break a server's reader. Promise: 400, 431 or 501, or the end of the
// connection; never more than one answer, never a failure of the server.
func hostileBytes(t *testing.T, s *system) {
	for _, service := range []string{"ui", "otp-gateway", "register-gateway"} {
		p := s.Replicas(service)[0]
		wantFewAnswers(t, service, p.HTTP)
	}
}

// wantFewAnswers fails the test unless addr refuses each, once.
func wantFewAnswers(t *testing.T, service, addr string) {
	t.Helper()
	for name, text := range map[string]string{
		"two lengths":             "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"a length with a sign":    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: +5\r\n\r\nhello",
		"a negative length":       "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
		"a coding of their own":   "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"two codings":             "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"a space before a colon":  "GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
		"a folded header":         "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n folded: x\r\nX: y\r\n\r\n",
		"a nul in a header":       "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
		"two hosts":               "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
		"no host":                 "GET / HTTP/1.1\r\n\r\n",
		"no version":              "GET /\r\n\r\n",
		"HTTP/9":                  "GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
		"a control in the target": "GET /\x01 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"no request":              "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"another protocol":        "EHLO evil.example\r\nMAIL FROM:<a@example.ac.th>\r\n\r\n",
		"20 KiB of headers":       "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n",
		"2,000 headers":           "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + strings.Repeat("X: aaaaaaaa\r\n", 2000) + "\r\n",
		"a target of 20 KiB":      "GET /" + strings.Repeat("a", 20<<10) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	} {
		answers := spokenTo(t, addr, text)
		for _, status := range answers {
			if !slices.Contains([]int{400, 413, 431, 501, 505}, status) {
				t.Errorf("%s answers %s with %v", service, name, answers)
			}
		}
		if len(answers) > 1 {
			t.Errorf("%s answers %s %d times: %v", service, name, len(answers), answers)
		}
	}
}

// Promise: nothing of all that was a failure of ours, even one that was caught.
func nobodyPanicked(t *testing.T, s *system) {
	for _, service := range harness.Services {
		for _, p := range s.Replicas(service) {
			for _, line := range logLines(t, p) {
				if strings.Contains(line, "panic") || strings.Contains(line, `"level":"ERROR"`) {
					t.Errorf("%s: %s", p.Name, line)
				}
			}
		}
	}
}

// post sends a body as JSON from a source of its own, unless header says
// otherwise; its length is told or not.
func post(t *testing.T, s *system, url, body string, told bool, header http.Header) harness.Answer {
	t.Helper()
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	var r io.Reader = strings.NewReader(body)
	if !told {
		r = io.MultiReader(r)
	}
	return send(t, s, http.MethodPost, url, r, header)
}

// send makes a request from a source of its own, with the credential that the
// gateways accept, and follows no redirect.
func send(t *testing.T, s *system, method, url string, body io.Reader, header http.Header) harness.Answer {
	t.Helper()
	return answerTo(t, s, request(t, method, url, body, header))
}

func request(t *testing.T, method, url string, body io.Reader, header http.Header) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(harness.ClientName, harness.ClientPassword)
	maps.Copy(req.Header, header)
	return req
}

func answerTo(t *testing.T, s *system, req *http.Request) harness.Answer {
	t.Helper()
	client := harness.ClientFrom(s.source())
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close() // it was only read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	return harness.Answer{Status: res.StatusCode, Header: res.Header, Body: body}
}

// wantProblem fails the test unless the answer is the problem of that reason,
// which repeats nothing that a page could run.
func wantProblem(t *testing.T, what string, a harness.Answer, status int, reason string) {
	t.Helper()
	if a.Status != status || !strings.Contains(string(a.Body), `"type":"`+restapi.ProblemTypePrefix+reason+`"`) {
		t.Errorf("%s: answer %d %s, want %d %s", what, a.Status, a.Body, status, reason)
	}
	if kind := a.Header.Get("Content-Type"); kind != "application/problem+json" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: answer is %q and may be sniffed: %v", what, kind, a.Header)
	}
}
