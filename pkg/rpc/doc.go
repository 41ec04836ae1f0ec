// Package rpc lets the programs of Matriq call, cast and tell each other things
// over RabbitMQ, and Nameko's programs as well.
//
// A method is declared once, with its types, and used on both sides:
//
//	var Authen = rpc.NewMethod[AuthenRequest, int]("otp.authen", 5*time.Second)
//
//	n, err := Authen.Call(ctx, conn, AuthenRequest{Email: e, OTP: code}) // its callers
//	routes := []rpc.Route{Authen.Handle(s.authen)}                      // its owner
//	err := conn.Serve(ctx, routes...)
//
// [NewCast] declares what is done later, without a reply, and [NewEvent] what is
// told to whoever subscribed. [Dial] connects to a broker; [NewMemoryBroker] is
// one inside the process.
//
// # Guarantees
//
// A call has exactly one outcome, by its deadline. The handler may have run
// zero, one or more times, and [Error.Ran] says what is known: no, maybe, yes.
//
// A cast or an event whose sender got nil is handled or parked for an operator,
// never dropped; unless it had a deadline, which ends it. It may be handled more
// than once; [KeyFrom] tells a repeat.
//
// Not promised: an order of any kind; that a handler that ignores its context
// ends with it; that clocks agree (deadlines are absolute, so hosts need NTP);
// and the confirmed casts of a broker whose disk is lost, for which package
// outbox has its loop.
//
// # Failures
//
// A call fails at once, and not at its timeout, when waiting cannot help:
//
//	no_such_service   no queue is bound: the service has never run. ran: no
//	unattended        no replica of the service takes requests, and the method
//	                  is [Method.Attended]. ran: no
//	overloaded        the broker blocks publishers, its queue is full, or too
//	                  much waits to be sent. ran: no
//	not_connected     there is no connection. ran: no
//	connection_lost   the connection of the reply is gone. ran: maybe
//
// All five are [Unavailable]. The library itself repeats a call after
// not_connected, and after connection_lost when the method is idempotent: eight
// tries in all, 50 ms to 1 s apart, within the caller's deadline. A service that
// is merely down is otherwise not a failure: requests wait in its queue until
// their deadline.
//
// A failed attempt of a cast or an event (an error, a panic, a timeout) is
// repeated after 1 s, 5 s, 30 s, 2 min and 10 min. It is parked after the last
// one, and at once when the error is [ErrPermanent] or [InvalidArgument], or the
// message cannot be decoded. It is dropped, and counted, when its deadline comes
// before the next attempt. A method that the program does not serve is a failed
// attempt as well, since during a rolling update another replica may know it.
// See [Conn.Parked] for what an operator can do.
//
// # Wire protocol: names
//
//	exchange nameko-rpc           topic  requests and replies of or to Nameko
//	exchange matriq-cast          topic  casts of programs that know no queues
//	exchange SOURCE.events        topic  events of the service SOURCE
//
//	queue rpc-SERVICE             classic, bound to nameko-rpc, SERVICE.*
//	queue evt-SOURCE-TYPE--SERVICE.METHOD
//	                              classic, bound to SOURCE.events, TYPE
//	queue SERVICE.call.v1         classic: requests between programs of this package
//	queue SERVICE.work.v1         quorum, bound to matriq-cast, SERVICE.*
//	queue SERVICE.retry.v1.DELAY  quorum, for each DELAY: 1s 5s 30s 2m 10m
//	queue SERVICE.parking         quorum
//	queue rpc.reply-PROGRAM-KEY   exclusive, bound to nameko-rpc under its name;
//	                              one for each connection of a caller
//
// Exchanges and all queues but the last are durable. The first two kinds of
// queues have no arguments, for Nameko declares them without, and a broker
// refuses a second declaration that differs; their limits belong into a policy
// of the broker. The others have, with ARGUMENT=VALUE as AMQP's strings and 64-bit
// integers:
//
//	SERVICE.call.v1         x-expires=60000
//	SERVICE.work.v1         x-queue-type=quorum x-delivery-limit=20
//	                        x-dead-letter-exchange= x-dead-letter-routing-key=SERVICE.parking
//	                        x-dead-letter-strategy=at-least-once x-overflow=reject-publish
//	SERVICE.retry.v1.DELAY  x-queue-type=quorum x-message-ttl=DELAY in ms
//	                        x-dead-letter-exchange= x-dead-letter-routing-key=SERVICE.work.v1
//	                        x-dead-letter-strategy=at-least-once x-overflow=reject-publish
//	SERVICE.parking         x-queue-type=quorum x-delivery-limit=1000000
//
// A service declares all of its own when it starts, before it takes the first
// message. A sender of events declares their exchange, so that it may start first.
//
// # Wire protocol: properties
//
//	                  request to Nameko  request          reply     cast             event
//	exchange          nameko-rpc         default          default   default          SOURCE.events
//	routing key       SERVICE.METHOD     SERVICE.call.v1  reply_to  SERVICE.work.v1  TYPE
//	mandatory         yes                yes              yes       yes              no
//	delivery_mode     1                  1                1         2                2
//	correlation_id    fresh              fresh            the request's
//	reply_to          the caller's reply queue
//	expiration        until the deadline, in ms
//	content_type      application/json
//	content_encoding  utf-8                                                          utf-8
//	type                                 what it says               what it says
//	headers           what it says                                                   what it says
//
// The default exchange leads to the queue that the key names, without matching
// topics. A reply_to that names no reply queue is a key of nameko-rpc, as Nameko's
// are. Everything is published with a confirm. A cast has no expiration although it
// may have a deadline: the broker would park it.
//
// A request goes to SERVICE.call.v1, from which workers of this package alone take.
// When that is returned (312 NO_ROUTE), it goes to Nameko's exchange, as do the
// requests to that service in the next 5 s; so do those of an Attended method always.
// Workers take from both queues. The broker deletes SERVICE.call.v1 a minute after its
// last worker has gone, so that a service that Nameko's workers take over is reached.
//
// # Wire protocol: type
//
// The property type is SERVICE.METHOD of the handler, with what a header would say as
// parameters, in any order:
//
//	otp.create;language=th;request_id=ZK4T7;client_ip=192.0.2.7;deadline=1700000000123
//
//	language, request_id, client_ip, key
//	                      the header of that name
//	deadline              matriq.deadline
//	call_id_stack         the ids, with a comma between two
//
// Characters other than printable ASCII, and space, percent sign, comma and semicolon,
// are escaped as in a URL. What finds no room in 255 bytes is a header. A type counts
// only on what came by the default exchange, and a header that says something else
// counts more.
//
// # Wire protocol: headers
//
// All are optional on receipt, and one with a wrong type counts as missing.
//
//	nameko.call_id_stack  array of strings: up to 11 ids SERVICE.METHOD.UNIQUE of
//	                      the handlers that led here, the sender last; the id of
//	                      a connection, PROGRAM.call.UNIQUE, where there is none
//	nameko.language, nameko.request_id, nameko.client_ip
//	                      see [Meta]; other nameko. headers do not travel on
//	traceparent           W3C trace context
//	matriq.deadline       integer, Unix milliseconds: when the work loses its
//	                      sense. A request or a cast past it is settled unread
//	matriq.key            idempotency key; always on casts and events of ours
//	matriq.method         SERVICE.METHOD of the handler; on casts without a type,
//	                      and on all that was moved to another queue
//	matriq.event          SOURCE.TYPE, on events that were moved
//	matriq.attempt        integer: attempts that failed
//	matriq.error          CODE or CODE: REASON of the latest failure
//	matriq.failed_at      integer, Unix milliseconds: the first failure
//	matriq.parked         why it was parked: attempts, invalid, permanent
//	matriq.parked_at      integer, Unix milliseconds
//
// # Wire protocol: bodies
//
// A request and a cast have their arguments by position, by name, or both; we
// send them by position. Other keys are ignored.
//
//	{"args": ["a@x.th", "123456"], "kwargs": {}}
//
// The arguments of a method are the exported fields of its request type in their
// order, named as their json tags say; one with omitempty or omitzero may be
// left out. An event is its bare payload. Several that are told together are the
// first of them, with the list of the others as its field "more",
//
//	{"text": "a", "more": [{"key": KEY, "event": {"text": "b"}}]}
//
// where KEY is that of a message of its own.
//
// A reply always has both keys, and exactly one of them is not null, unless the
// result is:
//
//	{"result": 1, "error": null}
//	{"result": null, "error": {
//	    "exc_type": "ResourceExhausted", "exc_path": "matriq.errors.ResourceExhausted",
//	    "exc_args": ["wait a moment"], "value": "wait a moment",
//	    "code": "resource_exhausted", "message": "wait a moment",
//	    "reason": "resend_too_soon", "retry_after_ms": 42000}}
//
// The first four fields are Nameko's, the others ours; reason and retry_after_ms
// may be missing. The faults of a request have Nameko's own exceptions, code
// invalid_argument, and tell that the handler did not run:
//
//	nameko.exceptions.MethodNotFound      method_not_found     value: the bare method
//	nameko.exceptions.IncorrectSignature  incorrect_signature  wrong arguments
//	nameko.exceptions.MalformedRequest    malformed_request    no args or kwargs, or no JSON
//
// An error without a code comes from Nameko: it is one of those three, else
// internal, and its text goes no further than the log. As in Python, an error
// that is null, {}, [], "", 0 or false is none.
//
// # Wire protocol: packs
//
// What goes by the default exchange to one queue at about the same time may share a
// message, which is called a pack: requests, replies or casts, up to 16 of them and 64
// KiB, none of which has a header. It has their exchange, routing key, mandatory and
// delivery_mode, the type of the first of them, the longest of their expirations or
// none when one has none, and
//
//	content_type          application/vnd.matriq.pack
//
// Its body is its parts, one after the other. Each is a line of five decimal numbers with
// a space between two, the lengths in bytes of the type, the correlation_id and the
// reply_to, the expiration in ms or 0, and the length of the body; then those four,
// without anything between them:
//
//	9 1 0 5000 26
//	demo.echo7{"args":["a"],"kwargs":{}}
//
// The broker confirms, returns and hands out a pack as one message. To whoever sends and
// whoever takes its parts they are messages of their own: each has its outcome, its
// deadline and its place in the prefetch. A worker acknowledges the pack when all are
// done. What it gives back of one it sends to the queue again, alone, as it does with
// parts that have waited a second for their place, and with all parts of a pack that was
// handed out before: that may have what kills its worker.
//
// # Wire protocol: sequences
//
// A caller binds its reply queue before its first request. It matches replies by
// correlation_id and drops those that it does not expect. A returned request
// (312 NO_ROUTE) is no_such_service. When the connection of the reply queue is
// lost, all its calls are connection_lost, and the next connection has another
// KEY.
//
// A connection that is open for one side alone is lost after 5 s without a
// confirm and without an answer to a basic.qos, which changes nothing; one on
// which nothing is written is asked every 10 s.
//
// A server takes up to its prefetch (16) unsettled messages from each queue, and half
// as many more of casts and events, whose acks may wait. It
// acks a request unread when its deadline has passed. Else it runs the handler,
// publishes the reply if there is a reply_to, again after a lost connection
// until the caller's deadline, waits for the confirm, and then acks. A missing
// content_type is taken for JSON. It answers what it cannot decode.
//
// A worker acks a cast or an event when its handler has returned nil. The ack may
// wait 50 ms for others, as long as there are fewer than half of the prefetch, and not
// in a program that stops, or of what was delivered before: what is acked together costs the queue one entry of its log.
// After a failure it publishes the message to its next queue by the default exchange,
// mandatory, with its type and all headers but those that begin with x- (a broker takes a
// message whose x-death it wrote itself for one that goes in circles, and drops
// it), waits for the confirm, and then acks. It never requeues for a failure.
// An event comes back by the work queue of its subscriber, found by
// matriq.method; so does one that is redelivered, since its own queue has no
// delivery limit. A message in a parking queue without matriq.parked was put
// there by the broker, at the delivery limit of the work queue. Messages that
// were delivered twice before without a settlement are handled one at a time, so
// that one that kills its workers does not take those beside it along.
//
// A replay publishes a parked message to the work queue in the same way, without
// the attempt, error, failed_at, parked and parked_at headers.
//
// Every service S also serves S.ping and S.describe, without arguments; see
// [Pong] and [Description] for their replies. A cast may be called as well, by
// the request queue, and replies null when it is done; a call cannot be cast.
package rpc
