package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
)

const (
	// mailPatience is how long a person looks into the mailbox before she asks
	// for another code.
	mailPatience = 3 * time.Second
	// impatience is how long a person who is told to come later waits at most.
	impatience = time.Second
)

// gateways are the addresses of their replicas.
type gateways struct{ otp, register []string }

// person registers herself, and does not give up.
type person struct {
	restapi.RegisterRequest
	key       string // Idempotency-Key; "" for a client without
	gateways  gateways
	mail      *mailRoom
	client    *client
	read      int64  // ID of the newest mail that she has opened
	lastTrial string // for a person who has not come through
}

func newPerson(to gateways, mail *mailRoom, c *client, i int) *person {
	p := &person{gateways: to, mail: mail, client: c, RegisterRequest: restapi.RegisterRequest{
		Email:     fmt.Sprintf("person%04d@example.ac.th", i),
		Firstname: "Malee" + letters(i), Lastname: "Jaidee" + letters(i),
	}}
	if i%2 == 0 { // as the pages do it; the other half does without
		p.key = fmt.Sprintf("registration-%04d", i)
	}
	return p
}

// letters writes a number so that it can be part of a name.
func letters(i int) string {
	return strings.Map(func(digit rune) rune { return digit - '0' + 'a' }, strconv.Itoa(i))
}

// register returns the student ID, or the error of ctx.
func (p *person) register(ctx context.Context) (id int64, err error) {
	for {
		p.prove(ctx)
		if id, err = p.giveNames(ctx); !errors.Is(err, errNotProved) {
			return id, err
		}
	}
}

// prove asks for codes until one was right, or may have been.
func (p *person) prove(ctx context.Context) {
	for ctx.Err() == nil {
		code := p.code(ctx, p.askCode(ctx))
		if code != "" && p.tryCode(ctx, code) {
			return
		}
	}
}

// askCode asks for a code and returns how long to look for it.
func (p *person) askCode(ctx context.Context) time.Duration {
	var reply restapi.GetOTPReply
	a := p.post(ctx, p.gateways.otp, restapi.PathGetOTP, restapi.GetOTPRequest{Email: p.Email}, &reply)
	if a.status == http.StatusOK || a.reason == "resend_too_soon" {
		return max(mailPatience, a.after)
	}
	return impatience
}

var codePattern = regexp.MustCompile(`\b\d{6}\b`)

// code looks for the newest mail with a code that she has not opened yet.
func (p *person) code(ctx context.Context, patience time.Duration) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := p.mail.Wait(ctx, func(m mailsink.Message) bool { return m.To == p.Email && m.ID > p.read })
	if err != nil {
		return ""
	}
	newest := p.mail.Messages(p.Email)[0]
	p.read = newest.ID
	return codePattern.FindString(newest.Text)
}

// tryCode tries a code until that is answered, and tells whether it was right. A
// refusal after a lost answer may come from a code that was right before.
func (p *person) tryCode(ctx context.Context, code string) bool {
	unknown := false
	for ctx.Err() == nil {
		var reply restapi.AuthenReply
		a := p.post(ctx, p.gateways.otp, restapi.PathAuthen, restapi.AuthenRequest{Email: p.Email, OTP: code}, &reply)
		if a.status == http.StatusOK {
			p.Proof = reply.Proof
			return reply.Results == 1 || unknown
		}
		unknown = true
		pause(ctx, min(a.after, impatience))
	}
	return false
}

var errNotProved = errors.New("the address has not proved itself")

// giveNames registers until that is answered.
func (p *person) giveNames(ctx context.Context) (int64, error) {
	for ctx.Err() == nil {
		var reply restapi.RegisterReply
		a := p.post(ctx, p.gateways.register, restapi.PathRegister, p.RegisterRequest, &reply)
		switch {
		case a.status == http.StatusOK:
			return reply.StudentID, nil
		case a.reason == "not_verified":
			return 0, errNotProved
		case a.err != nil && a.status != 0:
			return 0, a.err
		}
		pause(ctx, min(a.after, impatience))
	}
	return 0, ctx.Err()
}

// post sends a call. It takes a moment before it returns from a failure.
func (p *person) post(ctx context.Context, addrs []string, path string, body, reply any) answer {
	key := ""
	if path == restapi.PathRegister {
		key = p.key
	}
	a := p.client.post(ctx, addrs, path, key, body, reply)
	p.lastTrial = fmt.Sprintf("%s: %d %s %v", path, a.status, a.reason, a.err)
	if a.status != http.StatusOK {
		pause(ctx, 100*time.Millisecond)
	}
	return a
}
