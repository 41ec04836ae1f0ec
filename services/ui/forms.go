package ui

import (
	"errors"
	"time"

	"matriq/pkg/api/restapi"
)

// Notes that a page shows after a form: message "note.<…>".
const (
	noteResent  = "resent"
	noteEarlier = "earlier" // a code was sent a moment ago
	noteStale   = "stale"   // another tab has begun anew
)

// ask takes POST /: the address. It begins a new journey, whatever the one
// before had reached: proving A and then asking for B must not register B.
func (u *UI) ask(v *visit) error {
	before := v.journey
	v.journey = newJourney(v.lang, v.typed(fieldEmail))
	if v.journey.Email == "" {
		v.journey.refuse(fault{At: stepAddress, Field: fieldEmail, Reason: reasonBadEmail})
		return u.begin(v)
	}
	// The edge may send the request to a second replica, under the same ID, when
	// the first one dies.
	reply, err := u.gateways.askCode(v.r.Context(), v.who(), v.who().requestID, v.journey.Email)
	switch f, told := faultOf(err, stepAddress, time.Now()); {
	case err == nil:
		v.journey.issued(reply, time.Now())
	case told && f.Reason == reasonResendTooSoon:
		v.journey.issuedEarlier(before, f.Until)
	case told:
		v.journey.refuse(f)
	case v.session.found:
		return errors.Join(err, v.session.begin(v.w, v.journey))
	default:
		return err
	}
	return u.begin(v)
}

func (u *UI) begin(v *visit) error {
	if err := v.session.begin(v.w, v.journey); err != nil {
		return err
	}
	v.toStep()
	return nil
}

// issued notes what is known of a new code.
func (j *journey) issued(reply restapi.GetOTPReply, now time.Time) {
	j.Left, j.Verified, j.Proof = nil, "", ""
	if reply.Results != "1" {
		j.restart(fault{Field: fieldEmail, Reason: reasonNotEligible})
		return
	}
	j.Asked, j.Ref = true, reply.Ref
	j.Expires = now.Add(time.Duration(reply.ExpiresIn) * time.Second)
	j.Resend = now.Add(time.Duration(reply.ResendAfter) * time.Second)
}

// issuedEarlier goes on with the code that is on its way already: the person
// pressed twice, came back, or lost the session. What is known of the code is
// kept where the journey before was about it.
func (j *journey) issuedEarlier(before journey, resend time.Time) {
	if before.asksAgain(j.Email) {
		*j = before
		j.forget()
	}
	j.Asked, j.Resend, j.Note = true, resend, noteEarlier
}

// resend takes POST /resend: another code for the same address.
func (u *UI) resend(v *visit) error {
	if led, err := u.elsewhere(v, stepCode); led {
		return err
	}
	v.journey.forget()
	reply, err := u.gateways.askCode(v.r.Context(), v.who(), v.journey.askKey(), v.journey.Email)
	switch f, told := faultOf(err, stepCode, time.Now()); {
	case err == nil:
		v.journey.Note = noteResent
		v.journey.issued(reply, time.Now())
	case told:
		v.journey.refuse(f)
		v.journey.Resend = f.Until
	default:
		return err
	}
	return u.stay(v)
}

// prove takes POST /authen: the code.
func (u *UI) prove(v *visit) error {
	if led, err := u.elsewhere(v, stepCode); led {
		return err
	}
	v.journey.forget()
	code, ok := normalCode(v.typed(fieldCode))
	if !ok {
		v.journey.refuse(fault{At: stepCode, Field: fieldCode, Reason: reasonBadOTP})
		return u.stay(v)
	}
	reply, err := u.gateways.prove(v.r.Context(), v.who(), v.journey.proveKey(code), v.journey.Email, code)
	switch f, told := faultOf(err, stepCode, time.Now()); {
	case err == nil && reply.Results == 1:
		v.journey.Verified, v.journey.Proof = v.journey.Email, reply.Proof
		return u.goOn(v, pathNames)
	case err == nil:
		v.journey.failed(reply, time.Now())
	case told:
		v.journey.refuse(f)
	default:
		return err
	}
	return u.stay(v)
}

// failed explains a code that was not the right one. A code that is out has
// guesses left; without any it was guessed at too often, or its time is over.
func (j *journey) failed(reply restapi.AuthenReply, now time.Time) {
	f := fault{At: stepCode, Field: fieldCode, Reason: reasonWrongCode}
	j.Left = reply.AttemptsLeft
	switch {
	case !j.Expires.IsZero() && !now.Before(j.Expires):
		f.Reason = reasonExpired
	case j.Left != nil && *j.Left == 0:
		f.Reason = reasonExhausted
	}
	j.refuse(f)
}

// register takes POST /reg: the names.
func (u *UI) register(v *visit) error {
	if led, err := u.elsewhere(v, stepNames); led {
		return err
	}
	v.journey.forget()
	v.journey.Firstname, v.journey.Lastname = v.typed(fieldFirstname), v.typed(fieldLastname)
	if faults := nameFaults(v.journey.Firstname, v.journey.Lastname); len(faults) > 0 {
		v.journey.refuse(faults...)
		return u.stay(v)
	}
	reply, err := u.gateways.registerStudent(v.r.Context(), v.who(), restapi.RegisterRequest{
		Firstname: v.journey.Firstname, Lastname: v.journey.Lastname, Email: v.journey.Verified, Proof: v.journey.Proof,
	})
	switch f, told := faultOf(err, stepNames, time.Now()); {
	case err == nil:
		v.journey.StudentID, v.journey.Registered, v.journey.Proof = reply.StudentID, time.Now(), ""
		return u.goOn(v, pathDone+"?"+noticeRegistered)
	case told && f.Reason == reasonNotVerified:
		v.journey.restart(f)
	case told:
		v.journey.refuse(f)
	default:
		return err
	}
	return u.stay(v)
}

// leave takes POST /leave: the end of a journey on a shared machine.
func (u *UI) leave(v *visit) error {
	if err := v.session.end(v.w); err != nil {
		return err
	}
	v.session.cookie = false
	v.toFront()
	return nil
}

// elsewhere leads whoever is not at step s, or whose form belongs to a journey
// that another tab has left, to where they are.
func (u *UI) elsewhere(v *visit, s step) (bool, error) {
	switch {
	case !v.session.found:
		v.toFront()
		return true, nil
	case v.stale():
		v.journey.Note = noteStale
		return true, u.stay(v)
	case v.journey.step() != s:
		v.toStep()
		return true, nil
	}
	return false, nil
}

// stay keeps the journey under its token and shows where it is.
func (u *UI) stay(v *visit) error {
	if err := v.session.save(v.journey); err != nil {
		return err
	}
	v.toStep()
	return nil
}

// goOn keeps the journey under a new token, as the person is more than before, and
// leads to path.
func (u *UI) goOn(v *visit, path string) error {
	if err := v.session.renew(v.w, v.journey); err != nil {
		return err
	}
	v.leads(path)
	return nil
}
