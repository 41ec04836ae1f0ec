package harness

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"matriq/pkg/mailsink"
	"matriq/pkg/testenv"
)

// Services are the seven programs, in the order in which a test starts them:
// the edge first, so that every start proves that order does not matter.
var Services = []string{"ui", "otp-gateway", "register-gateway", "otp", "email", "student", "enroll"}

// Client is the REST client's name and password that every suite has.
const (
	ClientName     = "tester"
	ClientPassword = "correct-horse-battery-staple"
)

// Suite is the seven services on real servers, with an edge in front of the
// three that speak HTTP, and an SMTP sink.
type Suite struct {
	UI, OTPGateway, RegisterGateway *Edge
	Mail                            *mailsink.Sink
	MailAddr                        string
	// AMQPURL, RedisURL, StudentDSN and EnrollDSN are for looking behind the
	// services.
	AMQPURL, RedisURL, StudentDSN, EnrollDSN string

	t        *testing.T        // the processes live as long as its test
	shared   map[string]string // settings of every program
	replicas map[string][]*Process
	started  int
	binaries map[string]string // instead of the service's own
}

// Plan is a suite that is not as [Start] has it.
type Plan struct {
	// Replicas of each service; Each of those that are not named. A service with
	// 0 replicas is not started.
	Replicas map[string]int
	Each     int
	// Settings of all programs, over those of [Start]; "" removes one.
	Settings map[string]string
	// Before, when set, is called before the first program starts.
	Before func()
}

// Start runs each service in the given number of replicas and returns when all
// are ready.
func Start(t *testing.T, replicas int) *Suite {
	t.Helper()
	return Plan{Each: replicas}.Start(t)
}

// Start runs the plan and returns when all replicas are ready.
func (p Plan) Start(t *testing.T) *Suite {
	t.Helper()
	s := newSuite(t)
	for name, value := range p.Settings {
		s.Set(name, value)
	}
	if p.Before != nil {
		p.Before()
	}
	for _, service := range Services {
		replicas, named := p.Replicas[service]
		if !named {
			replicas = p.Each
		}
		for range replicas {
			s.launch(service)
		}
	}
	for _, service := range Services {
		for _, p := range s.replicas[service] {
			p.WaitReady(t)
		}
	}
	return s
}

// Set changes a setting of the replicas that start from now on; "" removes it.
func (s *Suite) Set(name, value string) {
	if value == "" {
		delete(s.shared, name)
		return
	}
	s.shared[name] = value
}

// Setting is a setting of the replicas that start from now on.
func (s *Suite) Setting(name string) string { return s.shared[name] }

// Replicas are the processes of a service that were not replaced.
func (s *Suite) Replicas(service string) []*Process { return s.replicas[service] }

func newSuite(t *testing.T) *Suite {
	t.Helper()
	s := &Suite{
		t: t, UI: NewEdge(t), OTPGateway: NewEdge(t), RegisterGateway: NewEdge(t),
		AMQPURL: testenv.AMQP(t), StudentDSN: testenv.MariaDB(t), EnrollDSN: testenv.MariaDB(t),
		replicas: map[string][]*Process{}, binaries: map[string]string{},
	}
	s.RedisURL = testenv.Redis(t)
	s.Mail, s.MailAddr = StartMail(t)
	login := ClientName + ":" + ClientPassword
	s.shared = map[string]string{
		"AMQP_URL":        s.AMQPURL,
		"REDIS_URL":       s.RedisURL,
		"SMTP_URL":        "smtp://" + s.MailAddr + "?tls=none",
		"MAIL_FROM":       "Registration <registration@example.ac.th>",
		"EMAIL_LANE":      "all",
		"OTP_PEPPER":      RandomKey(),
		"OTP_SEAL_KEY":    RandomKey(),
		"OTP_PROOF_KEY":   RandomKey(),
		"API_CLIENTS":     login + ":otp+register+import",
		"OTP_URL":         strings.Replace(s.OTPGateway.URL, "://", "://"+login+"@", 1),
		"REGISTER_URL":    strings.Replace(s.RegisterGateway.URL, "://", "://"+login+"@", 1),
		"PUBLIC_ORIGIN":   s.UI.URL,
		"TRUSTED_PROXIES": "127.0.0.0/8",
		"SHOW_REPLICA":    "true",
		"DRAIN_DELAY":     "100ms",
		"SOURCE_LIMIT":    "100000",
	}
	return s
}

// RandomKey is what OTP_PEPPER, OTP_SEAL_KEY and OTP_PROOF_KEY hold.
func RandomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// StartMail runs a mail server on a loopback port until the test ends.
func StartMail(t *testing.T) (sink *mailsink.Sink, addr string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sink = mailsink.New(mailsink.Options{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- sink.ServeSMTP(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("mail sink: %v", err)
		}
	})
	return sink, listener.Addr().String()
}

// launch starts one more replica and puts it behind its edge.
func (s *Suite) launch(service string) *Process {
	s.t.Helper()
	pkg := "matriq/services/" + service + "/cmd/" + service
	if other, ok := s.binaries[service]; ok {
		pkg = other
	}
	s.started++
	p := start(s.t, service+"-"+strconv.Itoa(s.started), Binary(s.t, pkg), s.settings(s.t, service))
	s.replicas[service] = append(s.replicas[service], p)
	s.route(service)
	return p
}

func (s *Suite) settings(t *testing.T, service string) map[string]string {
	t.Helper()
	env := map[string]string{"ADMIN_ADDR": testenv.Addr(t), "MYSQL_DSN": s.StudentDSN}
	if service == "enroll" {
		env["MYSQL_DSN"] = s.EnrollDSN
	}
	if s.edge(service) != nil {
		env["HTTP_ADDR"] = testenv.Addr(t)
	}
	maps.Copy(env, s.shared)
	return env
}

func (s *Suite) edge(service string) *Edge {
	return map[string]*Edge{"ui": s.UI, "otp-gateway": s.OTPGateway, "register-gateway": s.RegisterGateway}[service]
}

// route tells the edge of service where its replicas are.
func (s *Suite) route(service string) {
	edge := s.edge(service)
	if edge == nil {
		return
	}
	var addrs []string
	for _, p := range s.replicas[service] {
		addrs = append(addrs, p.HTTP)
	}
	edge.Set(addrs...)
}

// Use makes later replicas of service run the main package pkg; "" is the
// service's own again.
func (s *Suite) Use(service, pkg string) {
	delete(s.binaries, service)
	if pkg != "" {
		s.binaries[service] = pkg
	}
}

// Replace kills the i-th replica of service with SIGKILL, if it still runs, and
// returns when a new one is ready.
func (s *Suite) Replace(t *testing.T, service string, i int) *Process {
	t.Helper()
	s.replicas[service][i].Kill()
	s.replicas[service] = append(s.replicas[service][:i:i], s.replicas[service][i+1:]...)
	s.route(service)
	p := s.launch(service)
	p.WaitReady(t)
	return p
}

// Code returns the code of the newest mail to an address that shows ref, and
// fails the test unless it comes in time.
func (s *Suite) Code(t *testing.T, to, ref string) string {
	t.Helper()
	m := s.WaitMail(t, fmt.Sprintf("a code with reference %s to %s", ref, to), func(m mailsink.Message) bool {
		return m.To == to && strings.Contains(m.Text, ref) && codePattern.MatchString(m.Text)
	})
	return codePattern.FindString(m.Text)
}

// WaitMail returns the first mail that fits, waiting for it; what says what is
// missing.
func (s *Suite) WaitMail(t *testing.T, what string, fits func(mailsink.Message) bool) mailsink.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), mailTimeout)
	defer cancel()
	m, err := s.Mail.Wait(ctx, fits)
	if err != nil {
		t.Fatalf("no mail within %v: %s", mailTimeout, what)
	}
	return m
}

// mailTimeout covers one retry of a cast after a worker was killed.
const mailTimeout = 90 * time.Second
