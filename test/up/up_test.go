// Package up tests the suite in one process as a newcomer meets it.
package up_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matriq/pkg/mailsink"
	"matriq/pkg/testenv"
	"matriq/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// Limits that the suite in one process keeps to on any machine that runs the
// tests.
const (
	readyWithin = 2 * time.Second
	endsWithin  = 3 * time.Second
	restsIn     = 120 << 20
)

// register walks through the pages in a language.
func register(t *testing.T, u *harness.Up, email, language string) {
	t.Helper()
	person := harness.NewPerson(t, u.UI, language)
	page := person.Open(t, "/").Submit(t, map[string]string{"email": email})
	page.Has(t, "/authen")
	page = page.Submit(t, map[string]string{"otp": u.Code(t, email)})
	page.Has(t, "/reg")
	page = page.Submit(t, map[string]string{"firstname": "Malee", "lastname": "Jaidee"})
	page.Has(t, "/done", "Malee", "690000")
	if page.Language() != language {
		t.Errorf("page is in %q, want %q", page.Language(), language)
	}
}

func TestUp_JourneyInBothLanguages(t *testing.T) {
	t.Parallel()
	u := harness.StartUp(t, t.TempDir())
	for language, subject := range map[string]string{"th": "ลงทะเบียน", "en": "registered"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			email := map[string]string{"th": "malee@example.ac.th", "en": "somchai@example.ac.th"}[language]
			register(t, u, email, language)
			u.WaitMail(t, email, func(m mailsink.Message) bool {
				return m.Lang == language && strings.Contains(m.Subject, subject) && strings.Contains(m.Text, "690000")
			})
		})
	}
}

// The published system's bodies make a registration, with and without the
// trailing slash.
func TestUp_JourneyByREST(t *testing.T) {
	t.Parallel()
	u := harness.StartUp(t, t.TempDir())
	for i, slash := range []string{"", "/"} {
		who, g := fmt.Sprintf("rest%d@example.ac.th", i), u.Gateways()
		g.Slash = slash
		g.Import(t, who)
		g.AskCode(t, who)
		g.Prove(t, who, u.Code(t, who))
		g.WaitProgress(t, g.RegisterStudent(t, "มาลี", "ใจดี", who))
		if mails := u.Mails(t, who); len(mails) != 2 {
			t.Errorf("%d mails to %s, want 2", len(mails), who)
		}
	}
}

// One page has the metrics of all seven services.
func TestUp_Metrics(t *testing.T) {
	t.Parallel()
	u := harness.StartUp(t, t.TempDir())
	register(t, u, "malee@example.ac.th", "en")
	answer := u.Gateways().Get(t, u.Admin()+"/metrics")
	for _, want := range []string{
		`matriq_funnel_total{service="otp",step="proved"} 1`,
		`matriq_funnel_total{service="student",step="registered"} 1`,
		`service="ui"`, `service="email"`, `service="enroll"`, `service="otp-gateway"`, `service="register-gateway"`,
	} {
		if answer.Status != http.StatusOK || !strings.Contains(string(answer.Body), want) {
			t.Errorf("metrics are %d and lack %s", answer.Status, want)
		}
	}
}

func TestUp_RestartKeepsRegistrations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	u := harness.StartUp(t, dir)
	const who, next = "malee@example.ac.th", "somchai@example.ac.th"
	register(t, u, who, "en")
	person := harness.NewPerson(t, u.UI, "en")
	person.Open(t, "/").Submit(t, map[string]string{"email": next}).Has(t, "/authen")
	code := u.Code(t, next)
	if _, err := u.Interrupt(); err != nil {
		t.Fatalf("matriq up ended with %v\n%s", err, u.Log())
	}

	u = harness.StartUp(t, dir)
	g := u.Gateways()
	g.WaitProgress(t, 69000001)
	// The code was given out before the restart.
	g.Prove(t, next, code)
	if id := g.RegisterStudent(t, "Somchai", "Jaidee", next); id != 69000002 {
		t.Errorf("the next student ID is %d, want 69000002", id)
	}
}

func TestUp_ReadySmallAndQuickToEnd(t *testing.T) { //nolint:paralleltest // it measures
	u := harness.StartUpBinary(t, harness.PlainBinary(t, "matriq/cmd/matriq"), t.TempDir())
	if u.Started > readyWithin {
		t.Errorf("ready after %v, want at most %v", u.Started, readyWithin)
	}
	if rss := u.RSS(t); rss > restsIn {
		t.Errorf("at rest it has %d MiB, want at most %d", rss>>20, restsIn>>20)
	}
	// A browser keeps spare connections on which it has sent nothing yet.
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(u.UI, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	took, err := u.Interrupt()
	if took > endsWithin || err != nil {
		t.Errorf("Ctrl-C took %v and ended with %v, want %v at most\n%s", took, err, endsWithin, u.Log())
	}
}

func TestUp_BusyPortNamesTheFlag(t *testing.T) {
	t.Parallel()
	busy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	for _, flag := range []string{"--ui-addr", "--otp-addr", "--register-addr", "--inbox-addr", "--admin-addr"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			args := []string{"up", "--data", t.TempDir()}
			for _, other := range []string{"--ui-addr", "--otp-addr", "--register-addr", "--inbox-addr", "--admin-addr"} {
				addr := "127.0.0.1:0"
				if other == flag {
					addr = busy.Addr().String()
				}
				args = append(args, other, addr)
			}
			out, code := harness.Run(t, args...)
			if code != 1 || !strings.Contains(out, busy.Addr().String()+" is in use") || !strings.Contains(out, flag) {
				t.Errorf("exit code %d, output %q", code, out)
			}
		})
	}
}

func TestUp_OnlyOnThisMachine(t *testing.T) {
	t.Parallel()
	out, code := harness.Run(t, "up", "--data", t.TempDir(), "--ui-addr", "0.0.0.0:0")
	if code != 1 || !strings.Contains(out, "--ui-addr") || !strings.Contains(out, "127.0.0.1") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

// The list of eligible addresses is the operator's own, and its bad rows are
// told.
func TestUp_EligibleFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(file, []byte("own@example.ac.th\nno address\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	u := harness.StartUp(t, t.TempDir(), "--eligible", file)
	if !strings.Contains(u.Log(), "1 addresses may register") || !strings.Contains(u.Log(), `row 2 is no address: "no address"`) {
		t.Errorf("matriq up said\n%s", u.Log())
	}
	register(t, u, "own@example.ac.th", "en")
}

// The same suite on real servers: the rows are in MariaDB, the mails at the
// real mail server.
func TestUp_OnRealServers(t *testing.T) {
	t.Parallel()
	mail, addr := harness.StartMail(t)
	s := &harness.Suite{Mail: mail, StudentDSN: testenv.MariaDB(t)}
	s.EnrollDSN = harness.WithSuffix(t, s.StudentDSN, "_enroll")
	u := harness.StartUp(t, t.TempDir(),
		"--amqp", testenv.AMQP(t), "--redis", testenv.Redis(t), "--mysql", s.StudentDSN, "--smtp", "smtp://"+addr+"?tls=none")
	for i, slash := range []string{"", "/"} {
		who := fmt.Sprintf("real%d@example.ac.th", i)
		g := u.Gateways()
		g.Slash = slash
		g.Import(t, who)
		g.Prove(t, who, s.Code(t, who, g.AskCode(t, who)))
		g.RegisterStudent(t, "มาลี", "ใจดี", who)
		s.WaitComplete(t, who, "มาลี", "ใจดี")
	}
}

// An operator's list goes in by the command, and the report comes out.
func TestImport_Command(t *testing.T) {
	t.Parallel()
	u := harness.StartUp(t, t.TempDir())
	file := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(file, []byte("name,email\nA,a@example.ac.th\nB,A@EXAMPLE.ac.th \nC,nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := strings.Replace(u.OTP, "://", "://demo:demo@", 1)
	out, code := harness.Run(t, "import", "--url", at, file)
	if want := "1 added, 1 present before, 1 rejected\n  row 4: \"nobody\": bad_email\n"; code != 0 || out != want {
		t.Errorf("exit code %d, output %q, want %q", code, out, want)
	}
	out, code = harness.Run(t, "import", "--url", strings.Replace(at, "demo:demo", "demo:wrong", 1), file)
	if code != 1 || !strings.Contains(out, "401") {
		t.Errorf("wrong password: exit code %d, output %q", code, out)
	}
}
