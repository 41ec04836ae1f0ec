// Package otpapi is the contract of the service otp: it keeps the list of
// eligible addresses and issues, verifies and spends their one-time codes.
//
// Every method takes an address as typed and makes its canonical form; a
// malformed one fails with [rpc.InvalidArgument], reason "bad_email". When the
// store is down all fail with [rpc.Unavailable]: a code is never accepted
// unseen.
package otpapi

import (
	"encoding/json"
	"time"

	"matriq/pkg/rpc"
)

// Import lists addresses as eligible. A bad row is reported and never stops the
// good ones; a repeated import adds nothing.
var Import = rpc.NewMethod[ImportRequest, ImportReply]("otp.create_email_list", 30*time.Second).Idempotent()

// MaxImport is how many addresses one [Import] may carry; more fail with
// [rpc.InvalidArgument], reason "too_many". Gateways cut a longer list into
// several.
const MaxImport = 5000

// ImportRequest is a list of addresses as typed.
type ImportRequest struct {
	Emails []string `json:"email_list"`
}

// ImportReply reports what became of each row.
type ImportReply struct {
	// Added is how many are newly listed.
	Added int `json:"added"`
	// Present is how many were listed before, or earlier in the same request.
	Present int `json:"present"`
	// Rejected has the rows that are no address.
	Rejected []Rejected `json:"rejected"`
}

// Rejected is one bad row of a list.
type Rejected struct {
	// Row counts from 1.
	Row int `json:"row"`
	// Value is the row as it was given, cut at 100 characters.
	Value string `json:"value"`
	// Reason is the reason of the canonical address, such as "bad_email".
	Reason string `json:"reason"`
}

// Create issues a new code for an address and withdraws the one before. Too
// early, or too often for the address or the source, it fails with
// [rpc.ResourceExhausted], reason "resend_too_soon", "address_limit",
// "address_locked" or "source_limit", and the time to wait.
//
// With disclosure off, an address that is not listed or is registered gets a
// reply that cannot be told apart; its envelope holds a decoy.
//
// Under the same idempotency key ([rpc.WithKey]) the reply has the same code, as
// long as that is out, and nothing is counted again.
var Create = rpc.NewMethod[EmailRequest, CreateReply]("otp.create", 5*time.Second).IdempotentByKey()

// EmailRequest names an address.
type EmailRequest struct {
	Email string `json:"email"`
}

// CreateReply is a code on its way, or, with disclosure alone, the number 0 for
// an address that is not listed or is registered.
type CreateReply struct {
	// Eligible is false for the bare 0.
	Eligible bool
	Code     SealedCode
}

// SealedCode carries a code to the mail worker, opaque to everything between.
type SealedCode struct {
	// Sealed is the envelope that only otp and email can open.
	Sealed string `json:"sealed"`
	// ID names the code, so that it is mailed once however often it is handed over.
	ID string `json:"id,omitempty"`
	// Ref is three letters that the page and the mail both show.
	Ref string `json:"ref"`
	// ExpiresIn is the code's life in seconds.
	ExpiresIn int `json:"expires_in"`
	// ResendAfter is in how many seconds the next code may be asked for.
	ResendAfter int `json:"resend_after"`
}

// MarshalJSON writes 0 for an address that is not eligible, as the article does.
func (r CreateReply) MarshalJSON() ([]byte, error) {
	if !r.Eligible {
		return []byte("0"), nil
	}
	return json.Marshal(r.Code)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *CreateReply) UnmarshalJSON(data []byte) error {
	*r = CreateReply{}
	if string(data) == "0" {
		return nil
	}
	r.Eligible = true
	return json.Unmarshal(data, &r.Code)
}

// Authen spends a code: it replies 1 when the code is the right one, and marks
// the address verified for 15 minutes in the same step; else 0. Wrong, spent,
// expired, exhausted and never issued look alike; [Status] has the rest. A code
// that is not 6 to 10 digits fails with [rpc.InvalidArgument], reason
// "bad_otp", and is not counted. After too many wrong guesses from one source it
// fails with [rpc.ResourceExhausted], reason "source_limit", unseen.
//
// The same guess under the same idempotency key gets the same verdict, and is
// counted once, as long as no other guess came between.
var Authen = rpc.NewMethod[AuthenRequest, int]("otp.authen", 5*time.Second).IdempotentByKey()

// Prove is [Authen] with a proof beside the verdict. The two are one method in all
// else: a guess that is repeated by the other one is the same guess.
var Prove = rpc.NewMethod[AuthenRequest, ProveReply]("otp.prove", 5*time.Second).IdempotentByKey()

// ProveReply is the verdict on a guess.
type ProveReply struct {
	// Results is what [Authen] replies.
	Results int `json:"results"`
	// Proof is a proof of the package proof, which counts as long as the address is
	// verified. It is empty for a wrong guess, and where otp has no key to make one.
	Proof string `json:"proof,omitempty"`
}

// AuthenRequest is a guess.
type AuthenRequest struct {
	Email string `json:"email"`
	OTP   string `json:"otp"`
}

// Status tells how an address stands. It never tells whether it is listed.
var Status = rpc.NewMethod[EmailRequest, StatusReply]("otp.status", 5*time.Second).Idempotent()

// StatusReply is how an address stands; Ref, ExpiresIn and AttemptsLeft are zero
// where no code is out.
type StatusReply struct {
	Ref          string `json:"ref"`
	ExpiresIn    int    `json:"expires_in"`
	ResendAfter  int    `json:"resend_after"`
	AttemptsLeft int    `json:"attempts_left"`
	// Verified is true for 15 minutes after the right code, also when the
	// address has registered meanwhile.
	Verified bool `json:"verified"`
	// Email is the address as it is listed, to which mail goes, of a verified
	// address alone.
	Email string `json:"email,omitempty"`
}

// Unlock is the operator's, who has spoken with the owner of an address: what was
// guessed wrong and how often a code was asked for is forgotten, so that the
// next one can be had at once.
var Unlock = rpc.NewMethod[EmailRequest, UnlockReply]("otp.unlock", 5*time.Second).Idempotent()

// UnlockReply tells whether there was anything to forget.
type UnlockReply struct {
	Unlocked bool `json:"unlocked"`
}

// Delete withdraws an outstanding code.
var Delete = rpc.NewCast[EmailRequest]("otp.delete")

// Retire marks an address as registered: it gets no further code. The verified
// mark is left to lapse, so that a repeated registration finds its student ID.
// [Retired] follows.
var Retire = rpc.NewCast[EmailRequest]("otp.retire")

// Retired tells that a [Retire] is done.
var Retired = rpc.NewEvent[RetiredEvent]("otp", "retired")

// RetiredEvent names the cast that is done.
type RetiredEvent struct {
	// Key is the idempotency key of the cast.
	Key string    `json:"key"`
	At  time.Time `json:"at"`
}
