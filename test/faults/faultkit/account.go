package faultkit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"matriq/pkg/rpc"
)

// RanOf returns what a failed call says of its handler, or "".
func RanOf(err error) rpc.Ran {
	if e, ok := errors.AsType[*rpc.Error](err); ok {
		return e.Ran
	}
	return ""
}

// Account is a ledger in numbers.
type Account struct {
	Told            int // outcomes of calls and casts
	OK, Maybe, No   int // what they were
	Keys            int // different keys of callers
	Effects         int // rows
	Runs            int // handlers that began, in this process
	Missing, Double []string
	Unasked, Lied   []string
}

// String writes the numbers in one line.
func (a Account) String() string {
	return fmt.Sprintf("told %d (ok %d, maybe %d, no %d) of %d keys; %d runs, %d effects; %d missing, %d double, %d unasked, %d against a no",
		a.Told, a.OK, a.Maybe, a.No, a.Keys, a.Runs, a.Effects, len(a.Missing), len(a.Double), len(a.Unasked), len(a.Lied))
}

// Account compares both sides. Missing are keys whose caller was told that it is
// done, and no row has them; Double have two rows; Unasked have a row, and no
// caller; Lied have a row although each caller was told that nothing ran.
func (l *Ledger) Account(ctx context.Context) (Account, error) {
	rows, err := l.Effects(ctx)
	if err != nil {
		return Account{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := Account{Told: l.calls, Keys: len(l.told)}
	for _, n := range l.runs {
		a.Runs += n
	}
	for key, o := range l.told {
		a.OK, a.Maybe, a.No = a.OK+o.ok, a.Maybe+o.maybe, a.No+o.no
		if o.ok > 0 && rows[key] == 0 {
			a.Missing = append(a.Missing, key)
		}
		if o.ok == 0 && o.maybe == 0 && rows[key] > 0 {
			a.Lied = append(a.Lied, key)
		}
	}
	for key, n := range rows {
		a.Effects += n
		if n > 1 {
			a.Double = append(a.Double, key)
		}
		if _, asked := l.told[key]; !asked {
			a.Unasked = append(a.Unasked, key)
		}
	}
	return a, nil
}

// Effects returns how many rows each key has.
func (l *Ledger) Effects(ctx context.Context) (map[string]int, error) {
	rows, err := l.db.QueryContext(ctx, `SELECT entry_key, COUNT(*) FROM effects GROUP BY entry_key`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	effects := make(map[string]int)
	for rows.Next() {
		var key string
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			return nil, err
		}
		effects[key] = n
	}
	return effects, rows.Err()
}

// Runs returns how many handlers of this process began under key.
func (l *Ledger) Runs(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[key]
}

// Balanced tells whether every key that a caller was told is done has its row.
// A cast gets there in its time.
func (l *Ledger) Balanced(tb testing.TB) bool {
	tb.Helper()
	a, err := l.Account(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return len(a.Missing) == 0
}

// check is how each test ends: nothing missing, nothing twice, nothing that
// nobody asked for, nobody told a no for a yes, no reply in the wrong hands.
func (l *Ledger) check(tb testing.TB) {
	tb.Helper()
	a, err := l.Account(context.WithoutCancel(tb.Context()))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Logf("ledger: %v", a)
	for what, keys := range map[string][]string{
		"told that it is done, and it is not": a.Missing, "done twice": a.Double,
		"done, and nobody asked": a.Unasked, "done, and told that nothing ran": a.Lied,
		"a reply that reached another caller": l.foreign,
	} {
		if len(keys) > 0 {
			tb.Errorf("%d times %s: %v", len(keys), what, keys[:min(len(keys), 10)])
		}
	}
}
