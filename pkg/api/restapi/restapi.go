// Package restapi has the bodies of the two REST gateways, as the published
// system has them, extended by fields. The gateways serve them; the pages and
// the operator's commands send them.
package restapi

import "time"

// Paths of the calls; each is also served with a trailing slash.
const (
	PathImport   = "/create_email_list" // otp-gateway, scope import
	PathGetOTP   = "/getotp"            // otp-gateway, scope otp
	PathAuthen   = "/authen"            // otp-gateway, scope otp
	PathRegister = "/register"          // register-gateway, scope register
	PathProgress = "/register/{studentID}"
)

// ImportRequest lists addresses as eligible. The same call takes text/csv.
type ImportRequest struct {
	Emails []string `json:"emails"`
}

// ImportReply is the exact report of an import.
type ImportReply struct {
	// Results is how many were newly listed, as the published system has it.
	Results  int        `json:"results"`
	Added    int        `json:"added"`
	Present  int        `json:"present"`
	Rejected []Rejected `json:"rejected"`
}

// Rejected is one bad row; rows count from 1, a CSV's header line included.
type Rejected struct {
	Row    int    `json:"row"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// GetOTPRequest asks for a code.
type GetOTPRequest struct {
	Email string `json:"email"`
}

// GetOTPReply has results "1" when a code is on its way, and "0", with
// disclosure alone, when the address is not listed or is registered.
type GetOTPReply struct {
	Results     string `json:"results"`
	Ref         string `json:"ref,omitempty"`
	ExpiresIn   int    `json:"expires_in,omitempty"`
	ResendAfter int    `json:"resend_after,omitempty"`
}

// AuthenRequest proves an address with a code, a string of digits.
type AuthenRequest struct {
	Email string `json:"email"`
	OTP   string `json:"otp"`
}

// AuthenReply has results 1 for the right code. Otherwise 0 and how many
// guesses are left for the code.
type AuthenReply struct {
	Results      int  `json:"results"`
	AttemptsLeft *int `json:"attempts_left,omitempty"`
	// Proof is what [RegisterRequest] takes, where proofs are made.
	Proof string `json:"proof,omitempty"`
}

// RegisterRequest registers the owner of an address that has proved itself.
type RegisterRequest struct {
	Firstname string `json:"firstname"`
	Lastname  string `json:"lastname"`
	Email     string `json:"email"`
	// Proof is that of [AuthenReply]. It saves a look at whether the address has
	// proved itself; without one, or with one that does not count, that is done.
	Proof string `json:"proof,omitempty"`
}

// RegisterReply has results "registered".
type RegisterReply struct {
	Results   string `json:"results"`
	StudentID int64  `json:"studentID"`
}

// ProgressReply tells how far a registration has come: the time of each step,
// or null.
type ProgressReply struct {
	StudentID  int64      `json:"studentID"`
	Registered *time.Time `json:"registered"`
	Enrolled   *time.Time `json:"enrolled"`
	Emailed    *time.Time `json:"emailed"`
}

// Problem is an RFC 9457 problem, the body of every answer of 400 and more.
type Problem struct {
	// Type is "urn:matriq:problem:" and a stable reason, such as bad_email.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// RequestID finds the request in the logs.
	RequestID string `json:"request_id,omitempty"`
	// RetryAfter repeats the header of a 429 or 503, in seconds.
	RetryAfter int `json:"retry_after,omitempty"`
	// Report is what an import had done when it failed. Whoever repeats it finds
	// those addresses present.
	Report *ImportReply `json:"report,omitempty"`
}

// ProblemTypePrefix stands before the reason in [Problem.Type].
const ProblemTypePrefix = "urn:matriq:problem:"
