// Package studentapi is the contract of the service student, which registers
// students and sees to it that everything that follows is done.
package studentapi

import (
	"time"

	"matriq/pkg/rpc"
)

// Insert registers the owner of an address and replies the student ID; whoever
// repeats gets the same ID. The names of the first registration stay.
//
// It fails with [rpc.InvalidArgument], reason "bad_email", "bad_firstname" or
// "bad_lastname". Under a client's idempotency key ([rpc.WithKey]) the same
// request gets the same answer for 24 hours, another one fails with
// [rpc.InvalidArgument], reason "idempotency_key_reused", and one whose first
// is still in flight with [rpc.Aborted], reason "idempotency_key_in_flight".
//
// The confirmation goes to Email as it is spelled here: give the spelling of the
// list, which otp.status and a proof tell of a verified address.
//
// Insert does not ask whether the address has proved itself: that is the
// gateway's part.
var Insert = rpc.NewMethod[InsertRequest, int64]("student.insert", 10*time.Second).Idempotent()

// InsertRequest is a registration.
type InsertRequest struct {
	Firstname string `json:"firstname"`
	Lastname  string `json:"lastname"`
	Email     string `json:"email"`
}

// Status tells how far a registration has come. It fails with [rpc.NotFound],
// reason "no_such_student".
var Status = rpc.NewMethod[StatusRequest, StatusReply]("student.status", 5*time.Second).Idempotent()

// StatusRequest names a student.
type StatusRequest struct {
	StudentID int64 `json:"studentID"`
}

// StatusReply is the progress: each step has the time at which it was done, or
// null.
type StatusReply struct {
	StudentID  int64      `json:"studentID"`
	Registered *time.Time `json:"registered"`
	Enrolled   *time.Time `json:"enrolled"`
	// Emailed is when a mail server accepted the confirmation.
	Emailed *time.Time `json:"emailed"`
}
