package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"matriq/pkg/api/restapi"
)

// program registers one person by REST.
type program struct {
	run    *Run
	person restapi.RegisterRequest
}

var errRefused = errors.New("is not what a registration leads to")

// register asks for a code, proves the address, gives the names, and asks for
// the progress until everything is done.
func (p *program) register(ctx context.Context) error {
	site := p.run.site
	var asked restapi.GetOTPReply
	if err := p.post(ctx, site.OTPGateway+restapi.PathGetOTP, restapi.GetOTPRequest{Email: p.person.Email}, &asked); err != nil {
		return err
	}
	code, err := site.code(ctx, p.person.Email)
	if err != nil {
		return err
	}
	var proved restapi.AuthenReply
	if err := p.post(ctx, site.OTPGateway+restapi.PathAuthen, restapi.AuthenRequest{Email: p.person.Email, OTP: code}, &proved); err != nil {
		return err
	}
	if proved.Results != 1 {
		return fmt.Errorf("authen: %+v %w", proved, errRefused)
	}
	var done restapi.RegisterReply
	if err := p.post(ctx, site.RegisterGateway+restapi.PathRegister, p.person, &done); err != nil {
		return err
	}
	if done.Results != "registered" || done.StudentID == 0 {
		return fmt.Errorf("register: %+v %w", done, errRefused)
	}
	p.run.crowd.told(done.StudentID, p.person)
	return p.follow(ctx, done.StudentID)
}

// Complete is true when nothing of a registration is left to be done.
func Complete(p restapi.ProgressReply) bool {
	return p.Registered != nil && p.Enrolled != nil && p.Emailed != nil
}

// follow asks for the progress each second.
func (p *program) follow(ctx context.Context, id int64) error {
	path := strings.Replace(restapi.PathProgress, "{studentID}", fmt.Sprint(id), 1)
	return untilDone(ctx, func() (bool, error) {
		var progress restapi.ProgressReply
		err := p.call(ctx, http.MethodGet, p.run.site.RegisterGateway+path, nil, &progress)
		return Complete(progress), err
	})
}

func (p *program) post(ctx context.Context, url string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return p.call(ctx, http.MethodPost, url, data, reply)
}

// call sends a call, again when it is told to come later.
func (p *program) call(ctx context.Context, method, url string, body []byte, reply any) error {
	for {
		req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.SetBasicAuth(p.run.site.Name, p.run.site.Password)
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		a, err := p.run.kept.send(req)
		if err != nil {
			return err
		}
		if a.StatusCode < http.StatusBadRequest {
			return json.Unmarshal(a.body, reply)
		}
		if err := pause(ctx, a.later()); err != nil {
			return err
		}
	}
}

// pause waits for d, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
