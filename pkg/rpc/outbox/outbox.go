// Package outbox makes a cast part of a database transaction, and the effect of
// a message happen once.
//
// The sender writes its casts with [Outbox.Enqueue] in the transaction that
// makes them necessary. After the commit its own process sends them, from memory
// and without a look at the database: they are left to it for a while. A relay in
// every replica ([Outbox.Relay]) sends the open rows that are overdue, and sends
// them again, ever more seldom, until an event of the receiver closes them
// ([Outbox.Close]). So neither a crash after the commit nor a broker that lost its
// disk loses a cast.
//
// A receiver whose effect has a unique index of its own needs nothing more: the
// index tells a repeat. Any other runs its effect under [Once]: the message's key and
// the effect are one transaction, and a repeat gets the result of the first time.
//
// [Sweep] deletes what is long done.
//
// Not promised: order, and that a cast is sent once. A process that dies between
// the broker's confirm and its own note of it makes another one send again; and
// a key that was swept is new again, so an effect that must never repeat needs
// a unique index of its own.
package outbox

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/rpc"
	"matriq/pkg/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrate makes the tables of the outbox and of the inbox; see [sqldb.Migrate].
func Migrate(ctx context.Context, db *sqldb.DB) error {
	return sqldb.Migrate(ctx, db, migrations, "goose_outbox")
}

// Options of an [Outbox]. Zero values mean what the comments say.
type Options struct {
	// Log is required.
	Log *slog.Logger
	// Metrics registers the gauges and counters; nil: none.
	Metrics prometheus.Registerer
	// Resend is the wait for a cast's closing event before it is sent again; it
	// doubles with each time. Zero: 60 s.
	Resend time.Duration
	// ResendMax is the longest such wait. Zero: 1 h.
	ResendMax time.Duration
	// Retry is the wait after the broker did not store a cast. Zero: 2 s.
	Retry time.Duration
	// Own is for how long a cast is left to the process that enqueued it; after a
	// crash a relay takes over then. It must be longer than SendTimeout and Poll.
	// Zero: 10 s.
	Own time.Duration
	// Poll is how often the relay looks for overdue casts and notes what was sent.
	// Zero: 1 s.
	Poll time.Duration
	// SendTimeout bounds one attempt to hand a cast to the broker; a stop waits
	// for it. Zero: 5 s.
	SendTimeout time.Duration
	// Lease is for how long claimed rows are left to the relay that claimed
	// them; after a crash another one takes over then. It must be longer than
	// SendTimeout. Zero: 30 s.
	Lease time.Duration
	// Window is how many of a process's own casts, and of those that its relay
	// claimed, are on their way to the broker at once. Zero: 256.
	Window int
}

func (o Options) withDefaults() Options {
	o.Resend = cmp.Or(o.Resend, time.Minute)
	o.ResendMax = max(cmp.Or(o.ResendMax, time.Hour), o.Resend)
	o.Retry = cmp.Or(o.Retry, 2*time.Second)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.SendTimeout = cmp.Or(o.SendTimeout, 5*time.Second)
	o.Own = max(cmp.Or(o.Own, 10*time.Second), o.SendTimeout)
	o.Lease = max(cmp.Or(o.Lease, 30*time.Second), 2*o.SendTimeout)
	o.Window = cmp.Or(o.Window, 256)
	return o
}

// Outbox is the casts of one service on their way out.
type Outbox struct {
	db      *sqldb.DB
	o       Options
	metrics *metrics
	own     own
	notes   notes
}

// New returns the outbox in db, whose tables [Migrate] makes.
func New(db *sqldb.DB, o Options) *Outbox {
	return &Outbox{db: db, o: o.withDefaults(), metrics: newMetrics(o.Metrics), own: own{wake: make(chan struct{}, 1)}}
}

// Key returns the idempotency key under which a cast to target goes out for
// subject.
func Key(subject, target string) string { return subject + "/" + target }

// SplitKey undoes [Key].
func SplitKey(key string) (subject, target string, ok bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", "", false
	}
	return key[:i], key[i+1:], true
}

// For returns casts under the keys that they have for subject, whatever keys they
// had: see [Key]. So a subject has one cast for each target.
func For(subject string, casts ...rpc.Message) []rpc.Message {
	casts = slices.Clone(casts)
	for i := range casts {
		casts[i].Key = Key(subject, casts[i].Target)
	}
	return casts
}

// Enqueue writes casts for subject into tx; see [Outbox.EnqueueAll].
func (b *Outbox) Enqueue(ctx context.Context, tx *sqldb.Tx, subject string, casts ...rpc.Message) error {
	return b.EnqueueAll(ctx, tx, For(subject, casts...))
}

// EnqueueAll writes casts of one or more subjects, as [For] made them, into tx with
// one statement. A key that has been here is a duplicate ([sqldb.IsDuplicate]). Call
// [Outbox.Wake] after the commit.
func (b *Outbox) EnqueueAll(ctx context.Context, tx *sqldb.Tx, casts []rpc.Message) error {
	if len(casts) == 0 {
		return nil
	}
	var args []any
	for _, m := range casts {
		row, err := rowArgs(m)
		if err != nil {
			return err
		}
		args = append(args, append(row, b.o.Own.Milliseconds())...)
	}
	query := strings.ReplaceAll(insertCasts, "$ROWS", strings.TrimSuffix(strings.Repeat(insertCastsRow, len(casts)), ","))
	if _, err := tx.ExecContext(ctx, tx.SQL(query), args...); err != nil {
		return fmt.Errorf("enqueue casts: %w", err)
	}
	tx.OnCommit(func() { b.own.add(casts) })
	return nil
}

const (
	insertCasts    = `INSERT INTO outbox (cast_key, target, body, travels, deadline_at, created_at, next_at) VALUES $ROWS`
	insertCastsRow = `(?, ?, ?, ?, ?, $NOW, $NOW + ?),`
)

// travels is what a stored cast carries besides its arguments.
type travels struct {
	Meta        rpc.Meta `json:"meta"`
	TraceParent string   `json:"traceparent,omitempty"`
}

var errNotCast = errors.New("only casts can be enqueued: nothing would close a call or an event")

func rowArgs(m rpc.Message) ([]any, error) {
	if m.Kind != rpc.KindCast {
		return nil, errNotCast
	}
	headers, err := json.Marshal(travels{Meta: m.Meta, TraceParent: m.TraceParent})
	if err != nil {
		return nil, fmt.Errorf("encode headers of %s: %w", m.Target, err)
	}
	var deadline *int64
	if !m.Deadline.IsZero() {
		deadline = new(m.Deadline.UnixMilli())
	}
	return []any{m.Key, m.Target, m.Body, string(headers), deadline}, nil
}
