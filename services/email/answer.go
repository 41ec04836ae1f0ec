package email

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"

	"matriq/pkg/address"
)

// maxAnswer is how much of a server's answer an error repeats.
const maxAnswer = 200

// SMTP codes that say more than their first digit.
const (
	codeGoOn      = 354
	codeClosing   = 421
	codeAuthNeed  = 530
	codeAuthWeak  = 534
	codeAuthWrong = 535
	codeAuthPlain = 538
)

// judged names the step at which a mail failed, and marks as [ErrRefused] what
// the server will refuse again. Whatever is no plain 5xx is temporary, and so is
// a refusal of the login, which an operator can mend for all mails alike.
func judged(step string, err error) error {
	if err == nil {
		return nil
	}
	err = answered(step, err)
	login := []int{codeAuthNeed, codeAuthWeak, codeAuthWrong, codeAuthPlain}
	if code := codeOf(err); code/100 == 5 && !slices.Contains(login, code) {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// addressPattern takes in what may be an address, rather too much than too little.
var addressPattern = regexp.MustCompile(`[^\s<>:;,]+@[^\s<>:;,]+`)

// replyError is a server's answer to one step. Addresses in it are masked.
type replyError struct {
	step string
	code int
	said string
}

// Error implements error.
func (e *replyError) Error() string {
	return fmt.Sprintf("%s: the server answered %d %q", e.step, e.code, e.said)
}

// answered names the step at which the server said no, or nothing.
func answered(step string, err error) error {
	reply, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", step, err)
	}
	said := addressPattern.ReplaceAllStringFunc(reply.Msg, address.Mask)
	return &replyError{step: step, code: reply.Code, said: said[:min(len(said), maxAnswer)]}
}

// usable tells whether a connection bears another mail after err.
func usable(err error) bool {
	code := codeOf(err)
	return err == nil || errors.Is(err, ErrExpired) || !errors.Is(err, errStale) && code != 0 && code != codeClosing
}

// codeOf returns the server's code, 0 when there was no answer.
func codeOf(err error) int {
	if reply, ok := errors.AsType[*replyError](err); ok {
		return reply.code
	}
	return 0
}
