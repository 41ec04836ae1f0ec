// Package enroll keeps the enrolment records.
//
// A record is made once for each student, however often and under whatever key the
// cast comes. [enrollapi.Inserted]
// follows each time, after the record is committed and before the cast is
// acknowledged, so that the sender learns of it even when the first event was
// lost. The record of the first cast stays.
//
// Not promised: that the student exists, which is the sender's word.
package enroll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"matriq/pkg/api/enrollapi"
	"matriq/pkg/api/studentapi"
	"matriq/pkg/rpc"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
)

// Store keeps the enrolments. [SQLStore] is the one that is deployed; a test may
// wrap it, to fail or to die at a chosen moment.
type Store interface {
	// Migrate brings the tables up to date. It waits for a database that is not
	// up, until ctx ends. Replicas may all call it at once.
	Migrate(ctx context.Context) error

	// Ready returns nil when the database answers.
	Ready(ctx context.Context) error

	// Insert records e unless the student has a record. It gives the time of the
	// record either way; first tells the two apart.
	Insert(ctx context.Context, e Enrolment) (at time.Time, first bool, err error)

	// Sweep deletes what has expired, now and then, until ctx ends.
	Sweep(ctx context.Context) error
}

// Enrolment is who enrols.
type Enrolment struct {
	StudentID           int64
	Firstname, Lastname string
}

// Service does the casts of [enrollapi].
type Service struct {
	store   Store
	log     *slog.Logger
	counts  counts
	serving atomic.Bool
}

// New returns a service over store.
func New(store Store, log *slog.Logger, metrics prometheus.Registerer) (*Service, error) {
	counts, err := newCounts(metrics)
	if err != nil {
		return nil, err
	}
	return &Service{store: store, log: log, counts: counts}, nil
}

// NewOnSQL returns the service as it is deployed: with an [SQLStore] in db.
func NewOnSQL(db *sqldb.DB, cfg Config, env service.Env) (*Service, error) {
	if err := db.Observe("enroll", env.Metrics); err != nil {
		return nil, err
	}
	return New(NewSQLStore(db, cfg.Inbox, env.Log), env.Log, env.Metrics)
}

// Routes lists what the service serves. Its events go to events.
func (s *Service) Routes(events rpc.Caster) []rpc.Route {
	inserted := enrollapi.Inserted.Gather(events)
	return []rpc.Route{
		enrollapi.Insert.Handle(func(ctx context.Context, args enrollapi.InsertArgs) error {
			return s.insert(ctx, args, inserted)
		}),
	}
}

// Part is the part of a program that is [Service.Serve] over conn.
func (s *Service) Part(conn *rpc.Conn) service.Part {
	return func(ctx context.Context) error { return s.Serve(ctx, conn) }
}

// Checks are what a program needs that serves over conn.
func (s *Service) Checks(conn *rpc.Conn) []service.Check {
	return []service.Check{
		{Name: "database", Ready: s.Ready},
		{Name: "amqp", Ready: func(context.Context) error { return conn.Serving() }},
	}
}

// Serve brings the tables up to date, waiting for the database, then serves over
// conn until ctx ends.
func (s *Service) Serve(ctx context.Context, conn *rpc.Conn) error {
	if err := s.store.Migrate(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped while it waited for the database
		}
		return err
	}
	s.serving.Store(true)
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return conn.Serve(running, s.Routes(conn)...) })
	group.Go(func() error { return s.store.Sweep(running) })
	return group.Wait()
}

var errStarting = errors.New("the tables are not up to date yet")

// Ready returns nil when the database answers and its tables are up to date.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.store.Ready(ctx); err != nil {
		return err
	}
	if !s.serving.Load() {
		return errStarting
	}
	return nil
}

// insert does enroll.insert.
func (s *Service) insert(ctx context.Context, args enrollapi.InsertArgs, inserted rpc.Gathering[enrollapi.InsertedEvent]) error {
	e, err := check(args)
	if err != nil {
		return err
	}
	key := cmp.Or(rpc.KeyFrom(ctx), fmt.Sprintf("enroll.insert/%d", e.StudentID)) // a foreign client's call has none
	at, first, err := s.store.Insert(ctx, e)
	if err != nil {
		return err
	}
	if first {
		s.counts.enrolled.Inc()
		s.log.InfoContext(ctx, "student enrolled", slog.Int64("student_id", e.StudentID))
	}
	done := enrollapi.InsertedEvent{Key: key, StudentID: e.StudentID, At: at}
	if err := inserted.Emit(rpc.WithKey(ctx, key+"/inserted"), done); err != nil {
		return fmt.Errorf("tell of enrolment: %w", err)
	}
	return nil
}

// check makes an enrolment of args. What no repeat can mend is permanent, and
// the cast is parked at once.
func check(args enrollapi.InsertArgs) (Enrolment, error) {
	if args.StudentID < 1 {
		return Enrolment{}, fmt.Errorf("student ID %d: %w", args.StudentID, rpc.ErrPermanent)
	}
	first, err := studentapi.Name(args.Firstname)
	if err != nil {
		return Enrolment{}, fmt.Errorf("first name: %w: %w", err, rpc.ErrPermanent)
	}
	last, err := studentapi.Name(args.Lastname)
	if err != nil {
		return Enrolment{}, fmt.Errorf("last name: %w: %w", err, rpc.ErrPermanent)
	}
	return Enrolment{StudentID: args.StudentID, Firstname: first, Lastname: last}, nil
}
