// Command enroll is the service enroll that dies right after the commit of an
// enrolment, before its event and its acknowledgement.
package main

import (
	"context"
	"time"

	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
	"matriq/services/enroll"
	"matriq/test/crash"
)

func main() {
	service.Main(service.Program{Name: "enroll", Config: enroll.Config{}, Run: run})
}

// store dies when an enrolment is new.
type store struct{ enroll.Store }

// Insert implements [enroll.Store].
func (s store) Insert(ctx context.Context, e enroll.Enrolment) (time.Time, bool, error) {
	at, first, err := s.Store.Insert(ctx, e)
	if err == nil && first {
		crash.Die()
	}
	return at, first, err
}

func run(ctx context.Context, env service.Env) error {
	cfg, err := enroll.ReadConfig(env)
	if err != nil {
		return err
	}
	db, err := sqldb.Open(cfg.DSN)
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(cfg.AMQPURL, env.RPC())
	if err != nil {
		return err
	}
	svc, err := enroll.New(store{enroll.NewSQLStore(db, cfg.Inbox, env.Log)}, env.Log, env.Metrics)
	if err != nil {
		return err
	}
	return env.Serve(ctx, env.Admin(cfg.AdminAddr, svc.Checks(conn)...), svc.Part(conn))
}
