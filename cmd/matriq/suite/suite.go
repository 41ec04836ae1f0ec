// Package suite runs the seven services in one process, for somebody who has
// nothing but Go.
//
// What stands in for the servers is embedded: a broker in memory, a Redis with
// a snapshot on disk, SQLite files, and a mail server with an inbox page. Each
// can be put on a real server. The services are the same code as in their own
// programs; only the wiring is here.
//
// Not promised: speed, and what a kill -9 leaves of the embedded Redis's last
// two seconds. Registrations are in SQLite and lose nothing.
package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"matriq/pkg/mailsink"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
)

// Client is the REST client that the suite knows, as name:password. It is
// accepted on loopback alone.
const Client = "demo:demo"

// memoryResend is how soon an open cast is sent again: what a broker in memory
// held is gone with the last run.
const memoryResend = "2s"

// startTimeout is how long the services may take until all are ready.
const startTimeout = 30 * time.Second

// Config is where the suite listens and what it runs on.
type Config struct {
	// UI, OTP, Register, Inbox and Admin are open loopback listeners. The suite
	// closes them.
	UI, OTP, Register, Inbox, Admin net.Listener
	// Data is a folder that keeps what survives a restart.
	Data string
	// Servers are used in place of what is embedded.
	Servers Servers
	// Log gets what the services log.
	Log *slog.Logger
}

// Servers are URLs of real servers; an empty one means the embedded one.
type Servers struct{ AMQP, Redis, MySQL, SMTP string }

// CloseListeners closes what has been opened, for a caller that cannot go on.
func (c Config) CloseListeners() {
	for _, l := range []net.Listener{c.UI, c.OTP, c.Register, c.Inbox, c.Admin} {
		if l != nil {
			_ = l.Close() // nothing was served on it
		}
	}
}

// Run serves until ctx ends or a service fails. It calls ready once when all
// services are, and stops when ready fails.
func Run(ctx context.Context, cfg Config, ready func(context.Context) error) error {
	defer cfg.CloseListeners()
	s := &suite{cfg: cfg, env: service.NewEnv("matriq", nil, cfg.Log)}
	s.env.Metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.env.Serve(ctx, append(s.parts, s.admin(), s.announce(ready))...)
}

// suite is the parts list while it grows.
type suite struct {
	cfg  Config
	env  service.Env
	vars map[string]string // settings of all services

	memory *rpc.MemoryBroker // nil with a real broker
	sink   *mailsink.Sink

	parts   []service.Part
	checks  []service.Check
	metrics prometheus.Gatherers
	closers []func() // in the order of opening
}

// open makes the embedded servers and the services; none runs yet but Redis and
// the mail server, on which the others rely until they have stopped.
func (s *suite) open(ctx context.Context) error {
	if err := s.openServers(ctx); err != nil {
		return err
	}
	for _, open := range []func(context.Context) error{
		s.openOTP, s.openEmail, s.openStudent, s.openEnroll,
		s.openOTPGateway, s.openRegisterGateway, s.openUI,
	} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// openServers fills vars with the settings that all services share.
func (s *suite) openServers(ctx context.Context) error {
	keys, err := loadSecrets(s.cfg.Data)
	if err != nil {
		return fmt.Errorf("secrets of the suite: %w", err)
	}
	origin := "http://" + s.cfg.UI.Addr().String()
	s.vars = map[string]string{
		"AMQP_URL":        orElse(s.cfg.Servers.AMQP, "amqp://localhost"),
		"API_CLIENTS":     Client + ":otp+register+import",
		"OTP_URL":         "http://" + Client + "@" + s.cfg.OTP.Addr().String(),
		"REGISTER_URL":    "http://" + Client + "@" + s.cfg.Register.Addr().String(),
		"PUBLIC_ORIGIN":   origin,
		"ALLOWED_HOSTS":   "localhost,127.0.0.1,[::1]",
		"TRUSTED_PROXIES": "127.0.0.0/8,::1/128",
		"OTP_PEPPER":      keys.Pepper,
		"OTP_SEAL_KEY":    keys.SealKey,
		"OTP_PROOF_KEY":   keys.ProofKey,
		"MAIL_FROM":       "Registration <registration@example.ac.th>",
	}
	if s.cfg.Servers.AMQP == "" {
		s.memory = rpc.NewMemoryBroker()
		s.vars["OUTBOX_RESEND"] = memoryResend
	}
	return errors.Join(s.openRedis(ctx), s.openMail(ctx))
}

func (s *suite) openRedis(ctx context.Context) error {
	if s.vars["REDIS_URL"] = s.cfg.Servers.Redis; s.cfg.Servers.Redis != "" {
		return nil
	}
	r, err := startRedis(s.cfg.Data, s.cfg.Log)
	if err != nil {
		return err
	}
	s.vars["REDIS_URL"] = r.url()
	s.outlive(ctx, r.run, r.close)
	return nil
}

func (s *suite) openMail(ctx context.Context) error {
	s.sink = mailsink.New(mailsink.Options{})
	s.parts = append(s.parts, s.env.HTTP("", s.sink.Handler(), serveOn(s.cfg.Inbox)))
	if s.vars["SMTP_URL"] = s.cfg.Servers.SMTP; s.cfg.Servers.SMTP != "" {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("embedded mail server: %w", err)
	}
	s.vars["SMTP_URL"] = "smtp://" + listener.Addr().String() + "?tls=none"
	s.outlive(ctx, func(ctx context.Context) error { return s.sink.ServeSMTP(ctx, listener) }, func() {})
	return nil
}

// outlive runs an embedded server until the services have stopped; then it ends
// run and calls after.
func (s *suite) outlive(ctx context.Context, run func(context.Context) error, after func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil {
			s.cfg.Log.Error("an embedded server failed", "error", err)
		}
	}()
	s.closers = append(s.closers, func() {
		cancel()
		<-done
		after()
	})
}

// close undoes the opening, backwards.
func (s *suite) close() {
	for _, undo := range slices.Backward(s.closers) {
		undo()
	}
}

// newEnv returns the environment of one service, whose metrics carry its name.
func (s *suite) newEnv(name string, extra map[string]string) service.Env {
	vars := map[string]string{}
	for _, from := range []map[string]string{s.vars, extra} {
		for setting, value := range from {
			if value != "" {
				vars[setting] = value
			}
		}
	}
	env := service.NewEnv(name, vars, s.cfg.Log)
	s.metrics = append(s.metrics, labelled(name, env.Metrics))
	return env
}

// connect joins the broker, in memory or real.
func (s *suite) connect(ctx context.Context, o rpc.Options) (*rpc.Conn, error) {
	if s.memory != nil {
		return s.keep(ctx, s.memory.Connect(o)), nil
	}
	conn, err := rpc.Dial(s.cfg.Servers.AMQP, o)
	if err != nil {
		return nil, fmt.Errorf("--amqp: %w", err)
	}
	return s.keep(ctx, conn), nil
}

// closeTimeout bounds the farewell to a broker that may be gone.
const closeTimeout = time.Second

func (s *suite) keep(ctx context.Context, conn *rpc.Conn) *rpc.Conn {
	s.closers = append(s.closers, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if err := conn.Close(ctx); err != nil {
			s.cfg.Log.Warn("connection to the broker not closed in order", "error", err)
		}
	})
	return conn
}

// dsn returns the setting of the database with the given suffix.
func (s *suite) dsn(suffix string) (string, error) {
	if s.cfg.Servers.MySQL == "" {
		file := filepath.Join(s.cfg.Data, "matriq"+suffix+".db")
		return "sqlite:" + file, makePrivate(file)
	}
	cfg, err := mysql.ParseDSN(s.cfg.Servers.MySQL)
	if err != nil || cfg.DBName == "" {
		return "", errors.New("--mysql: write user:password@tcp(host:3306)/database")
	}
	cfg.DBName += suffix
	return cfg.FormatDSN(), nil
}

// admin serves health and the metrics of all services.
func (s *suite) admin() service.Part {
	if err := service.ObserveChecks(s.env.Metrics, s.checks...); err != nil {
		return func(context.Context) error { return err }
	}
	all := append(prometheus.Gatherers{labelled("matriq", s.env.Metrics)}, s.metrics...)
	return s.env.HTTP("", service.AdminHandler(all, s.checks...), serveOn(s.cfg.Admin))
}

// announce calls ready once all checks pass.
func (s *suite) announce(ready func(context.Context) error) service.Part {
	return func(ctx context.Context) error {
		if err := s.waitReady(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		return ready(ctx)
	}
}

// waitReady returns nil also when ctx ends: then nobody waits any more.
func (s *suite) waitReady(ctx context.Context) error {
	ticker, late := time.NewTicker(20*time.Millisecond), time.NewTimer(startTimeout)
	defer ticker.Stop()
	defer late.Stop()
	for {
		missing := s.firstMissing(ctx)
		if missing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-late.C:
			return fmt.Errorf("not ready after %v: %w", startTimeout, missing)
		case <-ticker.C:
		}
	}
}

func (s *suite) firstMissing(ctx context.Context) error {
	for _, c := range s.checks {
		if err := c.Ready(ctx); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return nil
}

// add appends a service's parts and checks, the checks under the service's name.
func (s *suite) add(name string, checks []service.Check, parts ...service.Part) {
	for _, c := range checks {
		c.Name = name + " " + strings.TrimSpace(c.Name)
		s.checks = append(s.checks, c)
	}
	s.parts = append(s.parts, parts...)
}

// serveOn serves without a delay at the stop: no edge has to learn of it.
func serveOn(l net.Listener) service.HTTPOptions {
	return service.HTTPOptions{Listener: l, DrainDelay: -1}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
