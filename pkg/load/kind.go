package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Kind is what became of a visit or a step.
type Kind string

// Kinds. An answer of another status is of the kind "status_" and its number.
const (
	// KindDone is no error.
	KindDone Kind = ""
	// KindLater is an answer of 503 that says when to come again.
	KindLater Kind = "later"
	// KindAbandoned is a visit that the end of the run cut off.
	KindAbandoned Kind = "abandoned"
	// KindNotFinished is a visit that took longer than [Options.Finish].
	KindNotFinished Kind = "not_finished"
	// KindNotSent is a visit for which there was no place.
	KindNotSent Kind = "not_sent"
	// KindTimeout is no answer in time.
	KindTimeout Kind = "timeout"
	// KindRefused is a connection that was refused.
	KindRefused Kind = "refused"
	// KindReset is a connection that ended before the answer did.
	KindReset Kind = "reset"
	// KindName is a name that no address was found for.
	KindName Kind = "name"
	// KindTLS is an encrypted connection that did not come about.
	KindTLS Kind = "tls"
	// KindFar is an address that is neither loopback nor private.
	KindFar Kind = "far"
	// KindNoMail is a mail that did not come in time.
	KindNoMail Kind = "no_mail"
	// KindNotDone is a registration that was not enrolled and confirmed in time.
	KindNotDone Kind = "not_done"
	// KindMailbox is a mailbox that could not be read.
	KindMailbox Kind = "mailbox"
	// KindWrong is a good answer that is not what the plan leads to.
	KindWrong Kind = "wrong_page"
	// KindOther is everything else.
	KindOther Kind = "other"
)

// Errors of plans. KindOf knows them.
var (
	// ErrNoMail is that no mail came in time.
	ErrNoMail = errors.New("no mail with a code came")
	// ErrNotDone is that not everything of a registration was done in time.
	ErrNotDone = errors.New("not everything is done")
	// ErrMailbox is that the mails could not be read.
	ErrMailbox = errors.New("the mailbox cannot be read")
	// ErrWrong is a good answer that is not what the plan leads to.
	ErrWrong = errors.New("not what a registration leads to")
	// ErrFar is that the address is neither loopback nor private.
	ErrFar = errors.New("the address is neither loopback nor private")
)

// StatusError is an answer that is not a good one.
type StatusError struct {
	What   string // method and path
	Status int
	// RetryAfter is when to come again, 0 if the answer does not say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *StatusError) Error() string {
	if e.RetryAfter > 0 {
		return fmt.Sprintf("%s: %d, again after %v", e.What, e.Status, e.RetryAfter)
	}
	return fmt.Sprintf("%s: %d", e.What, e.Status)
}

// later tells that the answer asks for patience.
func (e *StatusError) later() bool {
	return e.Status == http.StatusServiceUnavailable && e.RetryAfter > 0
}

// KindOf returns the kind of the error of a visit or a step.
func KindOf(err error) Kind {
	if err == nil {
		return KindDone
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		if status.later() {
			return KindLater
		}
		return Kind("status_" + strconv.Itoa(status.Status))
	}
	for _, k := range []struct {
		err  error
		kind Kind
	}{
		{ErrNoMail, KindNoMail},
		{ErrNotDone, KindNotDone},
		{ErrWrong, KindWrong},
		{ErrFar, KindFar},
		{context.Canceled, KindAbandoned},
		{ErrMailbox, KindMailbox},
		{os.ErrDeadlineExceeded, KindTimeout},
		{context.DeadlineExceeded, KindTimeout},
		{syscall.ECONNREFUSED, KindRefused},
		{syscall.ECONNRESET, KindReset},
		{syscall.EPIPE, KindReset},
		{io.EOF, KindReset},
		{io.ErrUnexpectedEOF, KindReset},
	} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return kindByType(err)
}

func kindByType(err error) Kind {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return KindTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return KindName
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return KindTLS
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return KindTLS
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return KindTLS
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return KindTLS
	}
	return KindOther
}
