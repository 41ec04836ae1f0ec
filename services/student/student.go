// Package student registers students and sees to it that all that follows a
// registration is done.
//
// A registration is one transaction: the student, found again by the canonical
// address, and the casts that enrol him, mail him and retire his address. A
// relay in every replica sends these casts until their events tell that they
// are done, so a registration that was answered is never half of one, whatever
// crashes. Whoever registers again gets the same ID.
//
// IDs rise from a first one. They are not without gaps: a transaction that is
// rolled back may use one up.
//
// Not promised: that an address has proved itself, which the gateway asks, and
// that the casts are done by the time of the answer; student.status tells.
package student

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/enrollapi"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/api/studentapi"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/service"
	"matriq/pkg/sqldb"
)

// Service answers the methods of [studentapi].
type Service struct {
	store   Store
	relay   Relay
	log     *slog.Logger
	counts  counts
	serving atomic.Bool
}

// Relay sends the casts that a [Store] wrote. [*outbox.Outbox] is one.
type Relay interface {
	// Wake has those sent that were written here. It never blocks.
	Wake()
	// Relay sends them, and whatever is overdue, until ctx ends.
	Relay(ctx context.Context, to rpc.Caster) error
}

// New returns a service over store, whose casts relay sends.
func New(store Store, relay Relay, log *slog.Logger, metrics prometheus.Registerer) (*Service, error) {
	counts, err := newCounts(metrics)
	if err != nil {
		return nil, err
	}
	return &Service{store: store, relay: relay, log: log, counts: counts}, nil
}

// NewOnSQL returns the service as it is deployed: with an [SQLStore] and an
// outbox in db.
func NewOnSQL(db *sqldb.DB, cfg Config, env service.Env) (*Service, error) {
	if err := db.Observe("student", env.Metrics); err != nil {
		return nil, err
	}
	box := outbox.New(db, outbox.Options{Log: env.Log, Metrics: env.Metrics, Resend: cfg.Resend})
	return New(NewSQLStore(db, box, cfg.Keep, env.Log), box, env.Log, env.Metrics)
}

// Routes lists what the service serves.
func (s *Service) Routes() []rpc.Route {
	return []rpc.Route{
		studentapi.Insert.Handle(s.insert),
		studentapi.Status.Handle(s.status),
		enrollapi.Inserted.OnAll("student.enroll_inserted", finishes(s, enrollapi.Insert.Name(),
			func(e enrollapi.InsertedEvent) outbox.Done { return outbox.Done{Key: e.Key, At: e.At} })),
		emailapi.Sent.OnAll("student.email_sent", finishes(s, emailapi.SendConfirmation.Name(),
			func(e emailapi.SentEvent) outbox.Done { return outbox.Done{Key: e.Key, At: e.At} })),
		otpapi.Retired.OnAll("student.otp_retired", finishes(s, otpapi.Retire.Name(),
			func(e otpapi.RetiredEvent) outbox.Done { return outbox.Done{Key: e.Key, At: e.At} })),
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

// Serve brings the tables up to date, waiting for the database, then serves and
// relays over conn until ctx ends.
func (s *Service) Serve(ctx context.Context, conn *rpc.Conn) error {
	if err := s.store.Migrate(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped while it waited for the database
		}
		return err
	}
	s.serving.Store(true)
	group, running := errgroup.WithContext(ctx)
	// What the last registrations make necessary is sent yet.
	relaying, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stop()
		return conn.Serve(running, s.Routes()...)
	})
	group.Go(func() error { return s.relay.Relay(relaying, conn) })
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

// status handles student.status.
func (s *Service) status(ctx context.Context, req studentapi.StatusRequest) (studentapi.StatusReply, error) {
	p, err := s.store.Progress(ctx, req.StudentID)
	if err != nil {
		return studentapi.StatusReply{}, atEdge(err)
	}
	return studentapi.StatusReply{
		StudentID: req.StudentID, Registered: &p.Registered, Enrolled: p.Enrolled, Emailed: p.Emailed,
	}, nil
}

// finishes handles events that tell which casts to target were done. A key of
// somebody else's cast is no business of this service.
func finishes[Event any](s *Service, target string, done func(Event) outbox.Done) func(context.Context, []Event) error {
	return func(ctx context.Context, events []Event) error {
		var all []Finished
		for _, e := range events {
			d := done(e)
			id, of, ok := parseKey(d.Key)
			if !ok || of != target {
				s.log.DebugContext(ctx, "event of a foreign cast", slog.String("target", target))
				continue
			}
			if d.At.IsZero() {
				d.At = time.Now()
			}
			all = append(all, Finished{ID: id, Target: target, At: d.At})
		}
		if err := s.store.Finish(ctx, all...); err != nil {
			return fmt.Errorf("finish %s: %w", target, err)
		}
		return nil
	}
}

// atEdge gives the failures of a store their codes. What it does not know stays
// internal.
func atEdge(err error) error {
	switch {
	case errors.Is(err, ErrNoStudent):
		return rpc.Errorf(rpc.NotFound, "there is no student with this ID").Because("no_such_student")
	case errors.Is(err, ErrKeyReused):
		return rpc.Errorf(rpc.InvalidArgument, "the idempotency key was used for another request").Because("idempotency_key_reused")
	case errors.Is(err, ErrKeyInFlight):
		return rpc.Errorf(rpc.Aborted, "the first request with this idempotency key is still being worked on").
			Because("idempotency_key_in_flight").After(time.Second)
	case sqldb.IsDown(err):
		return rpc.Errorf(rpc.Unavailable, "the registrations cannot be reached: %w", err)
	}
	return err
}
