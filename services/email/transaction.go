package email

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// errStale means that the server had closed a link while it was idle, or resets it
// no more. Nothing was handed over.
var errStale = errors.New("the connection was closed meanwhile")

// parcel is a mail as the server gets it.
type parcel struct {
	from, to string
	text     []byte    // dots doubled, and a line with a dot at its end
	expires  time.Time // zero for never
}

func (p parcel) expired() bool { return !p.expires.IsZero() && !time.Now().Before(p.expires) }

// command is a line to the server.
type command struct {
	step, line string
	want       int // the code, or its first digits, that lets the mail go on
}

var commandReset = command{step: "RSET", line: "RSET", want: 250}

func (p parcel) commands() []command {
	return []command{
		{step: "MAIL", line: "MAIL FROM:<" + p.from + ">", want: 250},
		{step: "RCPT", line: "RCPT TO:<" + p.to + ">", want: 25},
		{step: "DATA", line: "DATA", want: codeGoOn},
	}
}

// failed names the step at which err ended a mail.
func (c command) failed(err error) error {
	if c == commandReset {
		return fmt.Errorf("%w: %w", errStale, answered(c.step, err))
	}
	return judged(c.step, err)
}

// send hands a mail over. After [errStale] another link may do it: this one has
// delivered nothing.
func (l *link) send(ctx context.Context, p parcel) error {
	if p.expired() {
		return ErrExpired
	}
	return l.converse(ctx, func() error { return l.transact(p) })
}

// check makes sure that the link lives, and fails with [errStale] if it does not.
func (l *link) check(ctx context.Context) error {
	if !l.rested {
		return nil
	}
	return l.converse(ctx, func() error { return l.exchange([]command{commandReset}) })
}

// converse talks to the server until talk returns or ctx ends.
func (l *link) converse(ctx context.Context, talk func() error) error {
	done := l.guard(ctx)
	err := talk()
	done()
	l.broken = l.broken || !usable(err)
	if err != nil {
		return because(ctx, err)
	}
	return nil
}

// transact looks at the mail's life once more when the server waits for the text.
// From there on only the end of the connection takes a mail back.
func (l *link) transact(p parcel) error {
	commands := p.commands()
	if l.rested {
		commands = append([]command{commandReset}, commands...)
	}
	if err := l.ask(commands); err != nil {
		return err
	}
	if p.expired() {
		l.broken = true
		return ErrExpired
	}
	if err := l.write(p.text); err != nil {
		return fmt.Errorf("write the mail: %w", err)
	}
	_, _, err := l.smtp.Text.ReadResponse(250)
	return judged("end of DATA", err)
}

// ask sends commands at once, or one by one to a server that wants them so.
func (l *link) ask(commands []command) error {
	if l.pipelines {
		return l.exchange(commands)
	}
	for i := range commands {
		if err := l.exchange(commands[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

// exchange writes a group of commands and then reads the answers to all of them. It
// returns the first failure. Those of the others follow from it, but a server may
// wait for the text of a mail whose sender or recipient it has refused.
func (l *link) exchange(group []command) error {
	if err := l.write(lines(group)); err != nil {
		return group[0].failed(err)
	}
	for i, c := range group {
		if _, _, err := l.smtp.Text.ReadResponse(c.want); err != nil {
			err = c.failed(err)
			if usable(err) {
				l.skip(group[i+1:])
			}
			return err
		}
	}
	return nil
}

func lines(group []command) []byte {
	var all strings.Builder
	for _, c := range group {
		all.WriteString(c.line + "\r\n")
	}
	return []byte(all.String())
}

// skip reads the answers to the rest of a group that failed. A text that the server
// waits for is one without a line.
func (l *link) skip(rest []command) {
	for _, c := range rest {
		code := l.answer()
		if code == codeGoOn && c.want == codeGoOn && l.write([]byte(".\r\n")) == nil {
			code = l.answer()
		}
		if l.broken = code == 0 || code == codeClosing; l.broken {
			return
		}
	}
}

// answer returns the code of an answer, 0 if there is none.
func (l *link) answer() int {
	code, _, err := l.smtp.Text.ReadResponse(0)
	if err != nil {
		return 0
	}
	return code
}

// write sends all at once.
func (l *link) write(all []byte) error {
	if _, err := l.smtp.Text.W.Write(all); err != nil {
		return err
	}
	return l.smtp.Text.W.Flush()
}
