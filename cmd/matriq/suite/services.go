package suite

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/redisconn"
	"matriq/pkg/rest"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
	"matriq/services/email"
	"matriq/services/enroll"
	"matriq/services/otp"
	otpgateway "matriq/services/otp-gateway"
	registergateway "matriq/services/register-gateway"
	"matriq/services/student"
	"matriq/services/ui"
)

// worker is a service that serves calls and casts.
type worker interface {
	Serve(ctx context.Context, conn *rpc.Conn) error
	Checks(conn *rpc.Conn) []service.Check
}

func (s *suite) addWorker(name string, w worker, conn *rpc.Conn) {
	s.add(name, w.Checks(conn), func(ctx context.Context) error { return w.Serve(ctx, conn) })
}

// openClient returns a client of Redis that is closed with the suite.
func (s *suite) openClient(url string, env service.Env) (redis.UniversalClient, error) {
	client, err := redisconn.Open(url)
	if err != nil {
		return nil, err
	}
	if err := redisconn.Observe(client, env.Metrics); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s.closers = append(s.closers, func() { _ = client.Close() })
	return client, nil
}

func (s *suite) openOTP(ctx context.Context) error {
	env := s.newEnv("otp", nil)
	cfg, err := otp.ReadConfig(env)
	if err != nil {
		return err
	}
	client, err := s.openClient(cfg.RedisURL, env)
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx, env.RPC())
	if err != nil {
		return err
	}
	svc, err := otp.New(otp.NewStore(client, cfg.Rules), cfg.Rules, env.Metrics)
	if err != nil {
		return err
	}
	s.addWorker("otp", svc, conn)
	return nil
}

func (s *suite) openEmail(ctx context.Context) error {
	env := s.newEnv("email", nil)
	cfg, err := email.ReadConfig(env)
	if err != nil {
		return err
	}
	client, err := s.openClient(cfg.RedisURL, env)
	if err != nil {
		return err
	}
	sender, err := email.NewSMTP(cfg)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, sender.Close)
	conn, err := s.connect(ctx, cfg.RPC(env))
	if err != nil {
		return err
	}
	svc, err := email.New(sender, email.NewRedisLog(client, cfg.LogTTL), cfg.Rules, env.Log, env.Metrics)
	if err != nil {
		return err
	}
	s.addWorker("email", svc, conn)
	return nil
}

func (s *suite) openStudent(ctx context.Context) error {
	env, db, conn, err := s.openOnSQL(ctx, "student", "")
	if err != nil {
		return err
	}
	cfg, err := student.ReadConfig(env)
	if err != nil {
		return err
	}
	svc, err := student.NewOnSQL(db, cfg, env)
	if err != nil {
		return err
	}
	s.addWorker("student", svc, conn)
	return nil
}

func (s *suite) openEnroll(ctx context.Context) error {
	env, db, conn, err := s.openOnSQL(ctx, "enroll", "_enroll")
	if err != nil {
		return err
	}
	cfg, err := enroll.ReadConfig(env)
	if err != nil {
		return err
	}
	svc, err := enroll.NewOnSQL(db, cfg, env)
	if err != nil {
		return err
	}
	s.addWorker("enroll", svc, conn)
	return nil
}

// openOnSQL opens what a worker on a database of its own needs.
func (s *suite) openOnSQL(ctx context.Context, name, suffix string) (env service.Env, db *sqldb.DB, conn *rpc.Conn, err error) {
	dsn, err := s.dsn(suffix)
	if err != nil {
		return env, nil, nil, err
	}
	env = s.newEnv(name, map[string]string{"MYSQL_DSN": dsn})
	if db, err = s.openDB(ctx, dsn); err != nil {
		return env, nil, nil, err
	}
	conn, err = s.connect(ctx, env.RPC())
	return env, db, conn, err
}

// openDB opens dsn; the services migrate it.
func (s *suite) openDB(ctx context.Context, dsn string) (*sqldb.DB, error) {
	if err := createDatabase(ctx, dsn); err != nil {
		return nil, err
	}
	db, err := sqldb.Open(dsn)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() { _ = db.Close() })
	return db, nil
}

func (s *suite) openOTPGateway(ctx context.Context) error {
	env := s.newEnv("otp-gateway", map[string]string{"HTTP_ADDR": s.cfg.OTP.Addr().String()})
	cfg := otpgateway.Config{REST: rest.Config{Demo: true}}
	if err := env.Decode(&cfg); err != nil {
		return err
	}
	conn, err := s.connect(ctx, env.RPC())
	if err != nil {
		return err
	}
	s.add("otp-gateway", []service.Check{brokerCheck(conn)},
		env.HTTP("", otpgateway.New(conn, cfg, env).Handler(), serveOn(s.cfg.OTP)))
	return nil
}

func (s *suite) openRegisterGateway(ctx context.Context) error {
	env := s.newEnv("register-gateway", map[string]string{"HTTP_ADDR": s.cfg.Register.Addr().String()})
	cfg := registergateway.Config{REST: rest.Config{Demo: true}}
	if err := env.Decode(&cfg); err != nil {
		return err
	}
	conn, err := s.connect(ctx, env.RPC())
	if err != nil {
		return err
	}
	gateway, err := registergateway.New(conn, cfg, env)
	if err != nil {
		return err
	}
	s.add("register-gateway", []service.Check{brokerCheck(conn)},
		env.HTTP("", gateway.Handler(), serveOn(s.cfg.Register)))
	return nil
}

func brokerCheck(conn *rpc.Conn) service.Check {
	return service.Check{Name: "amqp", Ready: func(context.Context) error { return conn.Ready() }}
}

func (s *suite) openUI(context.Context) error {
	env := s.newEnv("ui", nil)
	cfg, err := ui.ReadConfig(env)
	if err != nil {
		return err
	}
	client, err := s.openClient(cfg.RedisURL, env)
	if err != nil {
		return err
	}
	gateways, err := ui.NewGateways(cfg, env)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, gateways.Close)
	pages, err := ui.New(client, gateways, cfg, env)
	if err != nil {
		return err
	}
	s.add("ui", []service.Check{{Name: "redis", Ready: pages.Ready}},
		env.HTTP("", pages.Handler(), serveOn(s.cfg.UI)))
	return nil
}
