package ui

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// step is how far a person has come. Each has one page.
type step int

const (
	stepAddress step = iota
	stepCode
	stepNames
	stepDone
)

// path is the page of s. The first page proper is "/", which knows no session;
// its twin at /start shows what a session remembers.
func (s step) path() string {
	switch s {
	case stepCode:
		return pathCode
	case stepNames:
		return pathNames
	case stepDone:
		return pathDone
	case stepAddress:
	}
	return pathStart
}

// journey is one person's way from an address to a student ID, and all that a
// session holds. It travels as JSON, so that replicas of two versions can share
// sessions.
type journey struct {
	// ID tells the forms of this journey from those that another tab still
	// shows. It is no secret.
	ID string `json:"id"`
	// Secret is what idempotency keys are made from.
	Secret string `json:"secret"`
	Lang   lang   `json:"lang"`

	// Email is the address as typed.
	Email string `json:"email"`
	// Asked is true once a code may be on its way to Email.
	Asked bool `json:"asked,omitempty"`
	// Ref, Expires and Left describe the newest code as far as they are known.
	Ref     string    `json:"ref,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Left    *int      `json:"left,omitempty"`
	// Resend is when the next code may be asked for.
	Resend time.Time `json:"resend,omitzero"`
	// Verified is the address that proved itself: the only one that can be
	// registered. Proof is what the gateway gave for it, if anything, until it is.
	Verified string `json:"verified,omitempty"`
	Proof    string `json:"proof,omitempty"`

	Firstname string `json:"firstname,omitempty"`
	Lastname  string `json:"lastname,omitempty"`
	StudentID int64  `json:"student_id,omitempty"`
	// Registered is when the registration was answered.
	Registered time.Time `json:"registered,omitzero"`

	// Faults and Note are what the last form led to, shown until the next one.
	Faults []fault `json:"faults,omitempty"`
	Note   string  `json:"note,omitempty"`
}

// fault is one thing that keeps a person from going on.
type fault struct {
	// At is the page that shows it.
	At step `json:"at"`
	// Field is the input it is about; empty: none.
	Field string `json:"field,omitempty"`
	// Reason chooses the text: message "fault.<Reason>".
	Reason string `json:"reason"`
	// Until is when it passes by itself, where that is known.
	Until time.Time `json:"until,omitzero"`
	// Left is how many guesses are left.
	Left int `json:"left,omitempty"`
}

// newJourney begins anew: nothing of an earlier journey is in it, above all not
// its verified address.
func newJourney(l lang, email string) journey {
	return journey{ID: rand.Text()[:10], Secret: rand.Text(), Lang: l, Email: email}
}

// step is where the person belongs now.
func (j journey) step() step {
	switch {
	case j.StudentID != 0:
		return stepDone
	case j.Verified != "":
		return stepNames
	case j.Asked:
		return stepCode
	default:
		return stepAddress
	}
}

// forget drops what the last form led to.
func (j *journey) forget() { j.Faults, j.Note = nil, "" }

// refuse notes why the person cannot go on.
func (j *journey) refuse(faults ...fault) { j.Faults = append(j.Faults, faults...) }

// faultsAt are those that the page of s shows: not those that have passed.
func (j journey) faultsAt(s step, now time.Time) []fault {
	var here []fault
	for _, f := range j.Faults {
		if f.At == s && (f.Until.IsZero() || now.Before(f.Until)) {
			here = append(here, f)
		}
	}
	return here
}

// asksAgain is true when j has a code out for the same address.
func (j journey) asksAgain(email string) bool {
	return j.step() == stepCode && strings.EqualFold(j.Email, email)
}

// restart goes back to the address, which has to prove itself again.
func (j *journey) restart(f fault) {
	j.forget()
	j.Verified, j.Proof, j.Asked, j.Ref, j.Left = "", "", false, "", nil
	j.Expires = time.Time{}
	f.At = stepAddress
	j.refuse(f)
}

// askKey names the request for the code after the one that is out. A double click
// gives the same key; whoever has got the code asks under another.
func (j journey) askKey() string {
	return j.key("ask", j.Email, j.Ref, j.Resend.UTC().Format(time.RFC3339))
}

// proveKey names a guess by what it was made after. A double click gives the same
// key; whoever was told that the code is wrong and tries it again has guessed twice.
func (j journey) proveKey(code string) string {
	left := ""
	if j.Left != nil {
		left = strconv.Itoa(*j.Left)
	}
	return j.key("prove", j.Email, j.Ref, left, code)
}

// key is an idempotency key that tells nothing of what it names.
func (j journey) key(parts ...string) string {
	mac := hmac.New(sha256.New, []byte(j.Secret))
	for _, part := range parts {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
