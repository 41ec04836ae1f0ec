package chaos_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"testing"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/test/harness"
)

const (
	replicasEach = 2
	readyTimeout = 30 * time.Second
)

// services are the programs that a registration by REST needs.
func services() []string {
	return []string{"otp-gateway", "register-gateway", "otp", "student", "enroll", "email"}
}

// system is the services in two replicas each, on servers of their own.
type system struct {
	servers  realServers
	mail     *mailRoom
	replicas map[string][]*replica
}

func startSystem(t *testing.T) *system {
	t.Helper()
	s := &system{servers: startServers(t), mail: newMailRoom(t), replicas: map[string][]*replica{}}
	logs, shared := t.ArtifactDir(), s.settings()
	for _, service := range services() {
		binary := harness.Binary(t, "matriq/services/"+service+"/cmd/"+service)
		for i := range replicasEach {
			r := &replica{kind: service, name: fmt.Sprintf("%s-%d", service, i+1), binary: binary, logs: logs}
			r.env = map[string]string{"ADMIN_ADDR": freeAddr(t), "HTTP_ADDR": freeAddr(t), "MYSQL_DSN": s.servers.studentDSN()}
			maps.Copy(r.env, shared)
			switch service {
			case "enroll":
				r.env["MYSQL_DSN"] = s.servers.enrollDSN()
			case "email":
				r.mail = s.mail
			}
			s.replicas[service] = append(s.replicas[service], r)
		}
	}
	t.Cleanup(s.stop)
	return s
}

// settings are those of all programs. Pauses are short, so that what has to be
// done again is done again within the test.
func (s *system) settings() map[string]string {
	return map[string]string{
		"AMQP_URL":             s.servers.broker.URL,
		"REDIS_URL":            s.servers.redis.URL,
		"API_CLIENTS":          clientName + ":" + clientPassword + ":otp+register+import",
		"OTP_PEPPER":           randomKey(),
		"OTP_SEAL_KEY":         randomKey(),
		"OTP_PROOF_KEY":        randomKey(),
		"OTP_RESEND_AFTER":     "1s",
		"OTP_PER_HOUR":         "1000",
		"OTP_PER_DAY":          "1000",
		"OTP_ATTEMPTS":         "1000",
		"OTP_FAILURES_PER_DAY": "1000",
		"SOURCE_LIMIT":         "0",
		"MAIL_FROM":            "Registration <registration@example.ac.th>",
		"MAIL_TIMEOUT":         "5s",
		"OUTBOX_RESEND":        "5s",
	}
}

func randomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

// freeAddr returns an address that nobody listens on. No connection goes out
// from it, so that nobody takes it while the replica is down.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.7.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// victims starts all replicas and returns them with the servers.
func (s *system) victims(t *testing.T) []*victim {
	t.Helper()
	victims := s.servers.victims()
	for _, service := range services() {
		for _, r := range s.replicas[service] {
			v := r.victim()
			if err := v.begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			victims = append(victims, v)
		}
	}
	return victims
}

// waitReady fails the test unless all replicas are ready in time.
func (s *system) waitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	for _, service := range services() {
		for _, r := range s.replicas[service] {
			var said string
			err := harness.Poll(ctx, func() (ready bool) {
				ready, said = r.life().Ready(ctx)
				return ready
			})
			if err != nil {
				t.Fatalf("%s is not ready after %v: %s\n%s", r.name, readyTimeout, said, r.life().Log())
			}
		}
	}
}

func (s *system) stop() {
	for _, replicas := range s.replicas {
		for _, r := range replicas {
			if len(r.lives) > 0 {
				r.life().Kill()
			}
		}
	}
}

// list makes everybody eligible.
func (s *system) list(t *testing.T, c *crowd) {
	t.Helper()
	var all []string
	for _, p := range c.people {
		all = append(all, p.Email)
	}
	g := harness.Gateways{OTP: "http://" + s.gateways().otp[0], Name: clientName, Password: clientPassword}
	var report restapi.ImportReply
	g.PostJSON(t, g.OTP+restapi.PathImport, restapi.ImportRequest{Emails: all}).Into(t, &report)
	if report.Added != len(all) {
		t.Fatalf("import of %d: %+v", len(all), report)
	}
}

func (s *system) gateways() gateways {
	return gateways{otp: s.addrs("otp-gateway"), register: s.addrs("register-gateway")}
}

func (s *system) addrs(service string) []string {
	var list []string
	for _, r := range s.replicas[service] {
		list = append(list, r.env["HTTP_ADDR"])
	}
	return list
}
