package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
)

// execute runs the command line and returns what it printed and its exit code.
func execute(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, stdio{out: &stdout, err: &stderr})
	return stdout.String(), stderr.String(), code
}

// A wrong command line is 2 and says what is right; help is 0.
func TestRun_TeachesItsUse(t *testing.T) {
	t.Setenv("AMQP_URL", "")
	for name, test := range map[string]struct { //nolint:paralleltest // t.Setenv forbids it
		args string
		code int
		says string
	}{
		"nothing":                 {"", 2, "Start with: matriq up"},
		"help":                    {"--help", 0, "look after the messages"},
		"unknown":                 {"fly", 2, `there is no command "fly"`},
		"up help":                 {"up --help", 0, "--inbox-addr ADDRESS"},
		"up unknown flag":         {"up --fly", 2, "flag provided but not defined"},
		"up with a word":          {"up now", 2, "Usage: matriq up"},
		"import without file":     {"import", 2, "Usage: matriq import"},
		"import missing file":     {"import /no/such/file.csv", 1, "no such file"},
		"import of a bad URL":     {"import --url :// ../../cmd/matriq/sample.csv", 1, "--url"},
		"import hides password":   {"import --url http://u:s3cr%zz@x ../../cmd/matriq/sample.csv", 1, "invalid URL escape"},
		"dlq without a word":      {"dlq", 2, "replay SERVICE ID|all"},
		"dlq show without ID":     {"dlq show otp", 2, "show SERVICE ID"},
		"dlq without a broker":    {"dlq ls", 1, "--amqp URL or set AMQP_URL"},
		"dlq with a bad URL":      {"dlq --amqp http://x ls", 1, "--amqp"},
		"unlock without address":  {"unlock", 2, "Usage: matriq unlock"},
		"unlock without a broker": {"unlock a@x.th", 1, "--amqp URL or set AMQP_URL"},
		"topology help":           {"topology --help", 0, "exchanges, queues and bindings"},
		"version":                 {"version", 0, "matriq "},
		"inbox help":              {"inbox --help", 0, "--smtp ADDRESS"},
		"inbox with a word":       {"inbox now", 2, "Usage: matriq inbox"},
		"inbox of a bad address":  {"inbox --smtp 127.0.0.1:x", 1, "--smtp"},
		"up address not local":    {"up --ui-addr 192.0.2.1:80", 1, "not on this machine alone"},
		"up address malformed":    {"up --otp-addr 7002", 1, "--otp-addr"},
		"up data is no folder":    {"up --data main.go", 1, "--data"},
		"up mysql without name":   {"up --mysql u:p@tcp(127.0.0.1:1)/ --ui-addr 127.0.0.1:0 --otp-addr 127.0.0.1:0 --register-addr 127.0.0.1:0 --inbox-addr 127.0.0.1:0 --admin-addr 127.0.0.1:0 --data " + t.TempDir(), 1, "user:password@tcp(host:3306)/database"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := execute(t, strings.Fields(test.args)...)
			if code != test.code || !strings.Contains(out+errs, test.says) {
				t.Errorf("matriq %s: exit code %d, want %d; says %q, want %q in it", test.args, code, test.code, out+errs, test.says)
			}
		})
	}
}

const topologyPage = "../../docs/topology.md"

var update = flag.Bool("update", false, "write the topology into docs/topology.md")

// The page in docs has what the services declare.
func TestTopology_IsInTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(topologyPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), "```text\n")
	_, after, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/topology.md has no block of text for the topology")
	}
	out, errs, code := execute(t, "topology")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	want := before + "```text\n" + out + "```" + after
	if want == string(text) {
		return
	}
	if !*update {
		t.Fatal("docs/topology.md is not what the services declare: run make docs and commit it")
	}
	if err := os.WriteFile(topologyPage, []byte(want), 0o600); err != nil { //nolint:gosec // a constant path
		t.Fatal(err)
	}
}
