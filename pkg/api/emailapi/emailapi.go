// Package emailapi is the contract of the service email, which turns casts into
// mails. It has two lanes, each a service name of its own on the wire, so that
// many confirmations never hold up a code: email_otp and email.
package emailapi

import (
	"time"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
)

// SendCode mails a code in the language of the context. Send it with the end of
// the code's life as deadline: no code is mailed after it died. A decoy sends
// nothing, or tells a registered owner so.
var SendCode = rpc.NewCast[SendCodeArgs]("email_otp.send")

// SendCodeArgs is what otp.create replied and to whom it belongs.
type SendCodeArgs struct {
	OTP   otpapi.SealedCode `json:"otp"`
	Email string            `json:"email"`
}

// SendConfirmation mails the student ID after a registration. [Sent] follows.
var SendConfirmation = rpc.NewCast[SendConfirmationArgs]("email.send")

// SendConfirmationArgs is the registration to confirm.
type SendConfirmationArgs struct {
	StudentID int64  `json:"studentID"`
	Firstname string `json:"firstname"`
	Lastname  string `json:"lastname"`
	Email     string `json:"email"`
}

// Sent tells that a mail server has accepted a confirmation.
var Sent = rpc.NewEvent[SentEvent]("email", "sent")

// SentEvent names the cast that is done.
type SentEvent struct {
	// Key is the idempotency key of the cast.
	Key string    `json:"key"`
	At  time.Time `json:"at"`
}
