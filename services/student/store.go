package student

import (
	"context"
	"errors"
	"time"
)

// Store keeps the students. [SQLStore] is the one that is deployed; a test may
// wrap it, to fail or to die at a chosen moment.
type Store interface {
	// Migrate brings the tables up to date. It waits for a database that is not
	// up, until ctx ends. Replicas may all call it at once.
	Migrate(ctx context.Context) error

	// Ready returns nil when the database answers.
	Ready(ctx context.Context) error

	// Register writes, in one transaction, the student and the casts that follow,
	// or finds the student who has the address. Both give the ID; first tells
	// them apart. It may be repeated after any error, also after one that left
	// unknown whether the transaction was committed.
	Register(ctx context.Context, r Registration) (id int64, first bool, err error)

	// Progress fails with ErrNoStudent when nobody has id.
	Progress(ctx context.Context, id int64) (Progress, error)

	// Finish notes, in one transaction, that casts were done, and sends them no
	// more. A repeat changes nothing; an unknown student is no error.
	Finish(ctx context.Context, done ...Finished) error

	// Reserve takes a client's key for the request with hash. A key that has its
	// answer gives that; 0 means that the caller now works on it and must call
	// Settle. It fails with ErrKeyReused when the key belongs to another request,
	// and with ErrKeyInFlight while somebody works on it.
	Reserve(ctx context.Context, key string, hash [32]byte) (answer int64, err error)

	// Settle stores the answer of a reserved key; 0 frees it for a repeat of the
	// same request.
	Settle(ctx context.Context, key string, answer int64) error

	// Sweep deletes what has expired, now and then, until ctx ends.
	Sweep(ctx context.Context) error
}

// Failures of a Store that its caller tells apart.
var (
	ErrNoStudent   = errors.New("no such student")
	ErrKeyReused   = errors.New("idempotency key belongs to another request")
	ErrKeyInFlight = errors.New("idempotency key is in flight")
)

// Registration is a checked request: the address in its canonical form, the
// spelling to which mail goes, and the names.
type Registration struct {
	Email, Mailbox, Firstname, Lastname string
}

// Finished is a cast of a student's registration that was done.
type Finished struct {
	ID     int64
	Target string
	At     time.Time
}

// Progress has the time of each step that is done.
type Progress struct {
	Registered time.Time
	Enrolled   *time.Time
	Emailed    *time.Time
}
