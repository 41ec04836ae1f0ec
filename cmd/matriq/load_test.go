package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	loading "matriq/pkg/load"
)

// Bad flags are named with what to write instead, all at once.
func TestLoad_Flags(t *testing.T) {
	t.Setenv("OTP_URL", "")
	t.Setenv("IMAP_PASSWORD", "")
	people := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(people, []byte("email\na@x.th\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct { //nolint:paralleltest // t.Setenv forbids it
		args string
		code int
		says string
	}{
		"help":               {"--help", 0, "matriq load --rate 100 --for 10s"},
		"a word":             {"now", 2, "Usage: matriq load"},
		"unknown flag":       {"--fly", 2, "flag provided but not defined"},
		"plan":               {"--plan tour", 2, "--plan tour: write one of page, journey, rest, article"},
		"both ways":          {"--rate 1 --users 1", 2, "--rate and --users: give one of them"},
		"rate":               {"--rate 0", 2, "--rate 0: write how many visits"},
		"users":              {"--users -3", 2, "--users -3: write how many people"},
		"time":               {"--for 0s", 2, "--for 0s: write a time such as 60s"},
		"no unit":            {"--for 60", 2, "invalid value"},
		"two at once":        {"--for 0s --most 0", 2, "--most 0: write a number above 0"},
		"share":              {"--max-errors 5", 2, "write a share in percent"},
		"article's rate":     {"--plan article --rate 5", 2, "--rate: the article's test has its own groups"},
		"nobody":             {"--plan journey", 2, "--emails: whoever registers needs an address"},
		"people for a page":  {"--emails " + people, 2, "nobody registers"},
		"no such file":       {"--plan journey --emails /no/such/file", 1, "--emails: open /no/such/file"},
		"everybody skipped":  {"--plan journey --skip 1 --emails " + people, 1, "the file has 1 addresses; nobody is left"},
		"two mailboxes":      {"--plan journey --inbox http://x --imap imap://x --emails " + people, 2, "give one of them"},
		"pages for rest":     {"--plan rest --url http://127.0.0.1:1 --emails " + people, 2, "write --otp-url and --register-url"},
		"gateway for pages":  {"--otp-url http://127.0.0.1:1", 2, "are for --plan rest"},
		"no password":        {"--plan rest --otp-url http://127.0.0.1:1 --emails " + people, 1, "http://name:password@host:port"},
		"no inbox":           {"--plan journey --inbox http://127.0.0.1:1 --emails " + people, 1, "start matriq up or matriq inbox"},
		"mailbox":            {"--plan journey --mailbox http://127.0.0.1:1/ --emails " + people, 1, "has no {address}"},
		"imap":               {"--plan journey --imap http://127.0.0.1:1/ --emails " + people, 1, "imaps://user@host:993/INBOX"},
		"connections":        {"--connections many", 2, "write kept, visit or request"},
		"from":               {"--from 127.0.0.1", 2, "write a network such as 127.1.0.0/16"},
		"from and kept":      {"--from 127.1.0.0/16 --connections kept", 2, "write --connections visit"},
		"URL":                {"--url 127.0.0.1:8080", 1, "--url"},
		"certificate":        {"--ca main.go", 1, "there is no certificate in it"},
		"a stranger's":       {"--url http://192.0.2.1", 1, "add --i-may-load-it"},
		"a stranger's by v6": {"--url http://[2001:db8::1]", 1, "add --i-may-load-it"},
		"nobody listens":     {"--url http://127.0.0.1:1 --for 100ms", 1, "refused"},
		"report cannot be":   {"--url http://127.0.0.1:1 --for 100ms --report /no/such/dir/x.html", 1, "--report"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := execute(t, append([]string{"load"}, strings.Fields(test.args)...)...)
			if code != test.code || !strings.Contains(out+errs, test.says) {
				t.Errorf("matriq load %s: exit code %d, want %d; says %q, want %q in it", test.args, code, test.code, out+errs, test.says)
			}
		})
	}
}

// slow answers each request after a time.
func slow(t *testing.T, d time.Duration) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(d):
			w.WriteHeader(http.StatusOK)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The exit code tells whether the limits were kept, and both files have the
// numbers.
func TestLoad_LimitsAndFiles(t *testing.T) {
	t.Parallel()
	url := slow(t, 30*time.Millisecond)
	for name, test := range map[string]struct {
		limits string
		code   int
		says   string
	}{
		"none":           {"", 0, "20 done"},
		"kept":           {"--max-p99 20s --max-visit-p99 20s --max-errors 0 --max-later 0 --min-done 1", 0, "kept    --max-p99"},
		"p99 missed":     {"--max-p99 29ms", 1, "MISSED  --max-p99"},
		"visits missed":  {"--max-visit-p99 29ms", 1, "MISSED  --max-visit-p99"},
		"too few":        {"--min-done 1000", 1, "wanted at least 1000/s"},
		"errors":         {"--timeout 1ms --max-errors 50%", 1, "timeout"},
		"nothing at all": {"--timeout 1ms", 1, "at least one visit done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			args := "load --url " + url + " --rate 20 --for 1s --json " + dir + "/r.json --report " + dir + "/r.html " + test.limits
			out, errs, code := execute(t, strings.Fields(args)...)
			if code != test.code || !strings.Contains(out+errs, test.says) {
				t.Errorf("exit code %d, want %d; says %s%s", code, test.code, out, errs)
			}
			data, err := os.ReadFile(filepath.Join(dir, "r.json"))
			if err != nil {
				t.Fatal(err)
			}
			var res loading.Result
			if err := json.Unmarshal(data, &res); err != nil || res.Visits.Due != 20 || len(res.Series) == 0 {
				t.Errorf("the JSON has %+v, %v", res.Visits, err)
			}
			page, err := os.ReadFile(filepath.Join(dir, "r.html"))
			if err != nil || !strings.Contains(string(page), "<polyline") {
				t.Errorf("the page has no plot: %v", err)
			}
		})
	}
}

// Ctrl-C ends it with the report of what was done.
func TestLoad_Interrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel() }))
	t.Cleanup(s.Close)
	var out, errs strings.Builder
	file := filepath.Join(t.TempDir(), "r.json")
	code := run(ctx, []string{"load", "--url", s.URL, "--rate", "10", "--for", "1h", "--json", file}, stdio{out: &out, err: &errs})
	if code != 0 || !strings.Contains(out.String(), "ended interrupted") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
