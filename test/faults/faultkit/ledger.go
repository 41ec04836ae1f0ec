package faultkit

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of the ledger's file

	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
	"matriq/pkg/sqldb"
)

// Entry asks for an effect under a key. The token is the caller's and unique to
// the call; the reply has it again.
type Entry struct {
	Key   string `json:"key"`
	Token string `json:"token"`
}

// Receipt is the answer to an entry.
type Receipt struct {
	Token string `json:"token"` // of the entry that is answered
	By    string `json:"by"`    // token of the entry that had the effect
	First bool   `json:"first"` // whether they are one and the same attempt
}

// The contract of the ledger. Insert may be repeated by the library, Touch not.
var (
	Insert = rpc.NewMethod[Entry, Receipt]("ledger.insert", 30*time.Second).Idempotent()
	Touch  = rpc.NewMethod[Entry, Receipt]("ledger.touch", 30*time.Second)
	Record = rpc.NewCast[Entry]("ledger.record")
)

// Ledger holds what callers were told against what handlers did. The effects are
// rows of an SQLite file, each made under [outbox.Once], which outlives whatever
// worker wrote them; what callers were told is in memory.
type Ledger struct {
	path string
	db   *sqldb.DB

	mu      sync.Mutex
	runs    map[string]int     // key → handlers of this process that began
	told    map[string]outcome // key → the best that a caller was told
	calls   int                // outcomes of calls and casts
	tokens  map[string]bool    // of calls under way
	foreign []string           // replies that belonged to another caller
}

// outcome is what is known of a key's effect on the caller's side.
type outcome struct{ ok, maybe, no int }

func newLedger(tb testing.TB) *Ledger {
	tb.Helper()
	l, err := OpenLedger(tb.Context(), filepath.Join(tb.TempDir(), "ledger.db"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		l.check(tb)
		if err := l.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// OpenLedger opens the ledger in the file at path, for another process too.
func OpenLedger(ctx context.Context, path string) (*Ledger, error) {
	db, err := sqldb.Open("sqlite:" + path)
	if err != nil {
		return nil, err
	}
	if err := outbox.Migrate(ctx, db); err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS effects (entry_key TEXT NOT NULL, token TEXT NOT NULL)`); err != nil {
		return nil, err
	}
	return &Ledger{path: path, db: db, runs: map[string]int{}, told: map[string]outcome{}, tokens: map[string]bool{}}, nil
}

// Path is the file of the effects.
func (l *Ledger) Path() string { return l.path }

// Close closes the file.
func (l *Ledger) Close() error { return l.db.Close() }

// Hooks run inside the handlers of a ledger, before the effect and after its
// commit. An error of theirs is the handler's.
type Hooks struct {
	Before, After func(ctx context.Context, e Entry) error
}

// Routes serve the contract.
func (l *Ledger) Routes(h Hooks) []rpc.Route {
	enter := func(ctx context.Context, e Entry) (Receipt, error) { return l.enter(ctx, e, h) }
	return []rpc.Route{
		Insert.Handle(enter),
		Touch.Handle(enter),
		Record.Handle(func(ctx context.Context, e Entry) error {
			_, err := enter(ctx, e)
			return err
		}),
	}
}

func (l *Ledger) enter(ctx context.Context, e Entry, h Hooks) (Receipt, error) {
	l.mu.Lock()
	l.runs[e.Key]++
	l.mu.Unlock()
	if h.Before != nil {
		if err := h.Before(ctx, e); err != nil {
			return Receipt{}, err
		}
	}
	by, first, err := outbox.Once(ctx, l.db, e.Key, func(tx *sqldb.Tx) (string, error) {
		_, err := tx.ExecContext(ctx, `INSERT INTO effects (entry_key, token) VALUES (?, ?)`, e.Key, e.Token)
		return e.Token, err
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("enter: %w", err)
	}
	if h.After != nil {
		if err := h.After(ctx, e); err != nil {
			return Receipt{}, err
		}
	}
	return Receipt{Token: e.Token, By: by, First: first}, nil
}

// Insert calls Insert under key and notes what it was told.
func (l *Ledger) Insert(ctx context.Context, to rpc.Caller, key string) (Receipt, error) {
	return l.call(ctx, Insert, to, key)
}

// Touch calls Touch under key and notes what it was told.
func (l *Ledger) Touch(ctx context.Context, to rpc.Caller, key string) (Receipt, error) {
	return l.call(ctx, Touch, to, key)
}

func (l *Ledger) call(ctx context.Context, m rpc.Method[Entry, Receipt], to rpc.Caller, key string) (Receipt, error) {
	e := Entry{Key: key, Token: rand.Text()}
	receipt, err := m.Call(ctx, to, e)
	l.note(key, err)
	if err == nil && receipt.Token != e.Token {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.foreign = append(l.foreign, fmt.Sprintf("%s got the reply to %q", key, receipt.Token))
	}
	return receipt, err
}

// Record casts Record under key and notes what it was told.
func (l *Ledger) Record(ctx context.Context, to rpc.Caster, key string) error {
	err := Record.Send(rpc.WithKey(ctx, key), to, Entry{Key: key, Token: rand.Text()})
	l.note(key, err)
	return err
}

func (l *Ledger) note(key string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.told[key]
	switch {
	case err == nil:
		o.ok++
	case RanOf(err) == rpc.RanNo:
		o.no++
	default:
		o.maybe++
	}
	l.told[key] = o
	l.calls++
}
