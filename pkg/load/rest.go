package load

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"matriq/pkg/api/restapi"
)

// REST registers one person by the two gateways, as another system does.
type REST struct {
	// OTP and Register are the gateways; their URLs have the client's name and
	// password.
	OTP, Register *Site
	People        *People
	Codes         Codes
	// Mail says how codes are waited for.
	Mail Waiting
	// Patience is for answers that ask to come again.
	Patience Patience
	// Follow has visits wait until the registration is enrolled and confirmed.
	Follow bool
}

// Name implements [Plan].
func (p *REST) Name() string { return "rest" }

// Visit implements [Plan].
func (p *REST) Visit(ctx context.Context, v *Visit) error {
	who, ok := p.People.next()
	if !ok {
		return ErrNobodyLeft
	}
	otp, register := &caller{p.OTP.visitor(), v, p.Patience}, &caller{p.Register.visitor(), v, p.Patience}
	defer otp.close()
	defer register.close()
	var asked restapi.GetOTPReply
	if err := otp.post(ctx, restapi.PathGetOTP, restapi.GetOTPRequest{Email: who.Email}, &asked); err != nil {
		return err
	}
	if asked.Results != "1" {
		return fmt.Errorf("%s: results %q: %w", restapi.PathGetOTP, asked.Results, ErrWrong)
	}
	code, err := p.Mail.code(ctx, v, p.Codes, who.Email, asked.Ref)
	if err != nil {
		return err
	}
	var proved restapi.AuthenReply
	if err := otp.post(ctx, restapi.PathAuthen, restapi.AuthenRequest{Email: who.Email, OTP: code}, &proved); err != nil {
		return err
	}
	if proved.Results != 1 {
		return fmt.Errorf("%s: results %d: %w", restapi.PathAuthen, proved.Results, ErrWrong)
	}
	who.Proof = proved.Proof
	var done restapi.RegisterReply
	if err := register.post(ctx, restapi.PathRegister, who, &done); err != nil {
		return err
	}
	if done.Results != "registered" || done.StudentID == 0 {
		return fmt.Errorf("%s: results %q: %w", restapi.PathRegister, done.Results, ErrWrong)
	}
	return p.follow(ctx, register, done.StudentID)
}

// follow asks for the progress until all is done.
func (p *REST) follow(ctx context.Context, c *caller, id int64) error {
	if !p.Follow {
		return nil
	}
	path := strings.Replace(restapi.PathProgress, "{studentID}", strconv.FormatInt(id, 10), 1)
	return c.visit.Await(StepDone, func() error {
		return until(ctx, doneWithin, func() (bool, error) {
			var progress restapi.ProgressReply
			err := c.call(ctx, restapi.PathProgress, &request{method: http.MethodGet, path: path}, &progress)
			return progress.Enrolled != nil && progress.Emailed != nil, err
		})
	})
}

// caller is a visitor of a gateway.
type caller struct {
	*client
	visit    *Visit
	patience Patience
}

func (c *caller) post(ctx context.Context, path string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.call(ctx, path, &request{
		method: http.MethodPost, path: path, body: data, header: []string{"Content-Type", "application/json"},
	}, reply)
}

// call sends a call, a step of the name of its method and a path.
func (c *caller) call(ctx context.Context, path string, req *request, reply any) error {
	req.header = append(req.header, "Accept", "application/json", "User-Agent", agent)
	a, err := c.patience.ask(ctx, func() (a *answer, err error) {
		err = c.visit.Answer(req.method+" "+path, func() error {
			a, err = c.do(ctx, req)
			return err
		})
		return a, err
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.body, reply); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrWrong, err)
	}
	return nil
}
