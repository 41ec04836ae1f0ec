package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// amqpTransport speaks AMQP 0-9-1 to RabbitMQ.
//
// Two TCP connections a process: P publishes, C consumes, so that a broker that
// stops reading from publishers still takes acks and hands out replies. The
// supervisor opens both; their common life is an epoch:
//
//	      ┌──────────── full jitter, 100 ms to 5 s ───────────┐
//	      ▼                                                   │
//	dial P and C ─► declare all ─► reply queue ─► live ─► torn down
//	(DNS asked       (topology      (new uuid)     │        │
//	 each time)       so far)                      │        └─ lost(epoch)
//	                               consumers start ┘
//
// A broker that does not answer at all is asked again after 400 ms at most, which
// costs it nothing, so that traffic flows within two seconds of its return. The
// waits grow to 5 s when it answers and then refuses or loses us.
//
// An epoch ends at the first fault on either side: a closed connection, a closed
// channel, a failed write, a silent peer (heartbeats, [amqpPulse]), a deleted
// reply queue. The next one has new connections, channels and a new reply queue;
// nothing of the old one is used again, so an ack that comes late meets a dead
// channel and is dropped. amqp091-go's own recovery stays off: it reopens the same channel,
// where the tags start at 1 again and a late ack removes another message.
//
// # Publishing
//
//	publish ─► gate ─► queue ─► writer ─► broker ─► settler ─► done
//	          closed:  1024     one a     window    in order
//	          fail or           lane      of 512
//	          wait
//
// The gate is shut while there is no epoch and while the broker blocks P.
// Behind it are two lanes, each with its queue, its channel, one writer and one
// settler: one for transient envelopes and one for stored ones, so that calls
// go on while a queue that has lost its quorum confirms nothing. A writer takes
// a slot of its window before an envelope, and the settler gives it back, so at
// most 512 messages of a lane are unconfirmed. Before it writes, it lets everybody run
// who can and takes all that waits in the queue then: what goes to one place shares a
// message, see [contentPack]. When the gate shuts, the writer fails what waits, or keeps
// it until its context ends, as the caller chose.
//
// Behind the writers, and behind the acks on C, each connection has a flusher
// that hands what was written meanwhile to the socket in one piece; see
// [batchedConn]. The flusher alone waits for a socket that takes nothing; each write
// has a deadline of 5 s, after which the epoch is over. Then what is queued fails
// as not sent, and what is written without a confirm fails as sent.
//
// # Which envelopes came back
//
// For an unroutable envelope the broker sends its return, then its confirm.
// amqp091-go has one goroutine that reads frames: it puts the return into a Go
// channel before it reads the confirm. That channel has room for a whole
// window, so the put never waits (the library drops a notification that waits
// for 5 s). The settler waits for the confirm of its oldest envelope and only
// then looks through the returns: what the reader did before is there. Returns
// carry what [messageID] has.
//
// Confirms are taken from amqp091-go's deferred confirmations and not from
// NotifyPublish: the latter reports a refused envelope as taken when a later
// confirm comes with the flag multiple (2951 of 3000 where the queue took 200).
type amqpTransport struct {
	uri    string // with the password: never logged
	o      Options
	log    *slog.Logger
	limits amqpLimits

	receive func(*envelope)
	lost    func(uint64)

	// state is replaced by refresh, read without a lock.
	state atomic.Pointer[amqpState]

	mu        sync.Mutex // guards what follows
	closing   bool
	epoch     *amqpEpoch // nil while there is none
	down      error      // why there is none
	topology  Topology
	consumers []*amqpConsumer

	cancel context.CancelFunc // ends the supervisor; nil before start
	done   chan struct{}      // closed when it has ended
}

// amqpState is how the transport stands. It is never changed, only replaced;
// then changed is closed.
type amqpState struct {
	epoch   *amqpEpoch
	err     error // why nothing can be published; nil if it can
	changed chan struct{}
}

// amqpLimits are the numbers of the transport.
type amqpLimits struct {
	queue, window      int           // envelopes a lane
	write              time.Duration // one write to the socket
	dial, open         time.Duration // TCP connect; all of an epoch's opening
	heartbeat          time.Duration
	confirm, answer    time.Duration // until a missing confirm is asked after; until that must be answered
	minDelay, maxDelay time.Duration // between attempts to connect
}

func defaultAMQPLimits() amqpLimits {
	return amqpLimits{
		queue: 1024, window: 512,
		write: 5 * time.Second, dial: 5 * time.Second, open: 30 * time.Second,
		heartbeat: 10 * time.Second,
		confirm:   500 * time.Millisecond, answer: 4 * time.Second,
		minDelay: 100 * time.Millisecond, maxDelay: 5 * time.Second,
	}
}

// errClosing is told to whoever publishes after close.
var errClosing = fmt.Errorf("%w: it is being closed", errNotConnected)

// Dial returns a connection to the RabbitMQ at url, which is
// amqp://user:password@host:5672/vhost, or amqps. It returns at once and
// connects in the background, without limit; the only error is a malformed url.
func Dial(url string, o Options) (*Conn, error) {
	o = o.withDefaults()
	t, err := newAMQPTransport(url, o, defaultAMQPLimits())
	if err != nil {
		return nil, err
	}
	return newConn(t, o), nil
}

// errBadURL says nothing of what was wrong: the parts of a malformed URL cannot
// be told apart, and one of them is the password.
var errBadURL = errors.New("the AMQP URL is not amqp://user:password@host:port/vhost (percent-encode what is special in the password)")

func newAMQPTransport(url string, o Options, limits amqpLimits) (*amqpTransport, error) {
	uri, err := amqp.ParseURI(url)
	if err != nil {
		return nil, errBadURL
	}
	host := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	t := &amqpTransport{
		uri: url, o: o, limits: limits,
		log:  o.Log.With("broker", uri.Scheme+"://"+host, "vhost", uri.Vhost),
		done: make(chan struct{}),
		down: errors.New("no attempt has ended yet"),
	}
	t.state.Store(&amqpState{changed: make(chan struct{})})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refresh()
	return t, nil
}

func (t *amqpTransport) start(receive func(*envelope), lost func(uint64)) {
	t.receive, t.lost = receive, lost
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	go t.supervise(ctx)
}

// refresh makes the state from the fields. The caller holds mu.
func (t *amqpTransport) refresh() {
	s := &amqpState{epoch: t.epoch, changed: make(chan struct{})}
	switch {
	case t.closing:
		s.err = errClosing
	case t.epoch == nil:
		s.err = fmt.Errorf("%w: %w", errNotConnected, t.down)
	default:
		if gate := t.epoch.gate.Load(); gate.shut {
			s.err = fmt.Errorf("%w: %s", errBlocked, gate.reason)
		}
	}
	close(t.state.Swap(s).changed)
}

func (t *amqpTransport) ready() error { return t.state.Load().err }

func (t *amqpTransport) replyTo() (queue string, epoch uint64, ok bool) {
	ep := t.state.Load().epoch
	if ep == nil {
		return "", 0, false
	}
	return ep.replyTo, ep.number, true
}

// connected waits for an epoch, blocked or not, until ctx ends.
func (t *amqpTransport) connected(ctx context.Context) (*amqpEpoch, error) {
	for {
		s := t.state.Load()
		if errors.Is(s.err, errClosing) {
			return nil, s.err
		}
		if s.epoch != nil && !s.epoch.over() {
			return s.epoch, nil
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (%w)", ctx.Err(), s.err)
		}
	}
}

func (t *amqpTransport) close(ctx context.Context) error {
	t.mu.Lock()
	t.closing = true
	t.refresh()
	ep := t.epoch
	t.mu.Unlock()
	if t.cancel == nil {
		return nil
	}
	var err error
	if ep != nil {
		err = ep.flush(ctx)
		ep.sayGoodbye(ctx)
	}
	t.cancel()
	<-t.done
	return err
}
