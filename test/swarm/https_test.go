package swarm_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"matriq/test/swarm/load"
)

// haveCertificate gives the site a name with HTTPS, first by the edge's own
// authority, as for a trial. Then it puts a certificate into the operator's folder,
// as an authority of his sends it.
func (o *operator) haveCertificate(t *testing.T) (check func(*testing.T)) {
	t.Helper()
	named := append(slices.Clone(o.env), "PUBLIC_ORIGIN=https://localhost:"+httpsPort)
	o.env = append(slices.Clone(named), "EDGE_TLS=internal")
	o.script(t, "up")
	o.settle(t)
	o.env = named
	at := func(port string) string { return "https://" + net.JoinHostPort("localhost", port) }
	o.site.Origin, o.site.RegisterGateway, o.site.OTPGateway = at(httpsPort), at(registerPort), at(otpPort)
	o.site.Roots = trust(t, o.edgeRoot(t))
	o.checkHTTPS(t)

	given := newAuthority(t)
	cert, key := given.issue(t, "localhost")
	write(t, filepath.Join(o.folder, "fullchain.pem"), cert)
	write(t, filepath.Join(o.folder, "privkey.pem"), key)
	o.site.Roots.AddCert(given.root)
	return func(t *testing.T) {
		o.site.Roots = trust(t, given.pem)
		o.checkHTTPS(t)
	}
}

// edgeRoot is the certificate of the authority that the edge has made for itself.
func (o *operator) edgeRoot(t *testing.T) []byte {
	t.Helper()
	node, id := o.container(t, "edge")
	file := filepath.Join(t.TempDir(), "root.crt")
	if out, err := node.Docker(t.Context(), "cp", id+":/data/caddy/pki/authorities/local/root.crt", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// checkHTTPS fails the test unless the site, its pages and its REST API, is served
// with a certificate that site.Roots vouch for, leads there from HTTP, and gives
// out cookies that no plain connection carries.
func (o *operator) checkHTTPS(t *testing.T) {
	t.Helper()
	o.checkLed(t)
	if err := o.site.List(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	run := load.Start(t.Context(), o.site, o.crowd, load.Plan{Journeys: 4})
	defer run.Stop()
	person := run.Visitor()
	if err := person.AskCode(t.Context()); err != nil {
		t.Fatalf("asks for a code: %v", err)
	}
	given := person.Given()
	if len(given) == 0 || slices.ContainsFunc(given, func(c *http.Cookie) bool { return !c.Secure || !c.HttpOnly || !strings.HasPrefix(c.Name, "__Host-") }) {
		t.Errorf("she is given the cookies %v, want some, and all Secure", given)
	}
	if err := person.Finish(t.Context()); err != nil {
		t.Fatalf("registers: %v", err)
	}
	if report := run.Stop(); report.Failed > 0 || report.Registered < 2 {
		t.Errorf("%d failed, %d registered, want none and some: %v", report.Failed, report.Registered, report.Failures)
	}
	o.checkTold(t, nil)
}

// checkLed fails the test unless HTTP leads to the same page by HTTPS.
func (o *operator) checkLed(t *testing.T) {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+net.JoinHostPort("localhost", httpPort)+"/reg?lang=th", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if to := res.Header.Get("Location"); res.StatusCode != http.StatusPermanentRedirect || to != "https://localhost/reg?lang=th" {
		t.Errorf("HTTP answers %d %s, want 308 and the page by HTTPS", res.StatusCode, to)
	}
}
