package harness

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"matriq/pkg/api/restapi"
)

var codePattern = regexp.MustCompile(`\b\d{6}\b`)

// Gateways is where a REST client finds the calls.
type Gateways struct {
	OTP, Register  string
	Name, Password string
	// Slash is put behind every path: "" or "/".
	Slash string
	// HTTP sends the requests; nil: as [http.DefaultClient]. See [ClientFrom].
	HTTP *http.Client
}

// Gateways returns the suite's, behind their edges.
func (s *Suite) Gateways() Gateways {
	return Gateways{OTP: s.OTPGateway.URL, Register: s.RegisterGateway.URL, Name: ClientName, Password: ClientPassword}
}

// Answer is what a gateway said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into decodes the body of a 200 into v and fails the test for any other.
func (a Answer) Into(t *testing.T, v any) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Fatalf("answer is %d: %s", a.Status, a.Body)
	}
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("answer %s: %v", a.Body, err)
	}
}

// Problem decodes the body of a refusal.
func (a Answer) Problem(t *testing.T) restapi.Problem {
	t.Helper()
	var p restapi.Problem
	if err := json.Unmarshal(a.Body, &p); err != nil || p.Status != a.Status {
		t.Fatalf("answer %d is no problem: %s", a.Status, a.Body)
	}
	return p
}

// Post sends a body of the given type to a URL with the client's credentials.
func (g Gateways) Post(t *testing.T, url, contentType string, body io.Reader) Answer {
	t.Helper()
	return g.do(t, http.MethodPost, url, contentType, body)
}

// Get asks for a URL with the client's credentials.
func (g Gateways) Get(t *testing.T, url string) Answer {
	t.Helper()
	return g.do(t, http.MethodGet, url, "", nil)
}

func (g Gateways) do(t *testing.T, method, url, contentType string, body io.Reader) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(g.Name, g.Password)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := cmp.Or(g.HTTP, http.DefaultClient).Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: data}
}

// PostJSON sends v as JSON.
func (g Gateways) PostJSON(t *testing.T, url string, v any) Answer {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return g.Post(t, url, "application/json", bytes.NewReader(body))
}

// Import lists addresses as eligible and fails the test unless all are new.
func (g Gateways) Import(t *testing.T, emails ...string) {
	t.Helper()
	var report restapi.ImportReply
	g.PostJSON(t, g.OTP+restapi.PathImport+g.Slash, restapi.ImportRequest{Emails: emails}).Into(t, &report)
	if report.Added != len(emails) || report.Results != len(emails) {
		t.Fatalf("import of %d: %+v", len(emails), report)
	}
}

// AskCode asks for a code and returns its reference.
func (g Gateways) AskCode(t *testing.T, email string) (ref string) {
	t.Helper()
	var reply restapi.GetOTPReply
	g.PostJSON(t, g.OTP+restapi.PathGetOTP+g.Slash, restapi.GetOTPRequest{Email: email}).Into(t, &reply)
	if reply.Results != "1" || reply.Ref == "" || reply.ExpiresIn <= 0 {
		t.Fatalf("getotp of %s: %+v", email, reply)
	}
	return reply.Ref
}

// Prove gives the right code.
func (g Gateways) Prove(t *testing.T, email, code string) {
	t.Helper()
	var reply restapi.AuthenReply
	g.PostJSON(t, g.OTP+restapi.PathAuthen+g.Slash, restapi.AuthenRequest{Email: email, OTP: code}).Into(t, &reply)
	if reply.Results != 1 {
		t.Fatalf("authen of %s: %+v", email, reply)
	}
}

// RegisterStudent gives the names and returns the student ID.
func (g Gateways) RegisterStudent(t *testing.T, first, last, email string) int64 {
	t.Helper()
	var reply restapi.RegisterReply
	g.PostJSON(t, g.RegisterURL(), restapi.RegisterRequest{Firstname: first, Lastname: last, Email: email}).Into(t, &reply)
	if reply.Results != "registered" || reply.StudentID == 0 {
		t.Fatalf("register %s: %+v", email, reply)
	}
	return reply.StudentID
}

// RegisterURL is where a registration is posted.
func (g Gateways) RegisterURL() string { return g.Register + restapi.PathRegister + g.Slash }

// Progress asks how far a registration has come.
func (g Gateways) Progress(t *testing.T, id int64) restapi.ProgressReply {
	t.Helper()
	var reply restapi.ProgressReply
	path := strings.Replace(restapi.PathProgress, "{studentID}", fmt.Sprint(id), 1)
	g.Get(t, g.Register+path+g.Slash).Into(t, &reply)
	return reply
}

// WaitProgress waits until every step of a registration is done.
func (g Gateways) WaitProgress(t *testing.T, id int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	var p restapi.ProgressReply
	err := Poll(ctx, func() bool {
		p = g.Progress(t, id)
		return p.Registered != nil && p.Enrolled != nil && p.Emailed != nil
	})
	if err != nil {
		t.Fatalf("progress of %d after %v is %+v", id, startTimeout, p)
	}
}
