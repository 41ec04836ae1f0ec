// Package enrollapi is the contract of the service enroll, which keeps the
// enrolment records.
package enrollapi

import (
	"time"

	"matriq/pkg/rpc"
)

// Insert records an enrolment, once for each key and each student.
// [Inserted] follows, also after a repeat.
var Insert = rpc.NewCast[InsertArgs]("enroll.insert")

// InsertArgs is who enrols.
type InsertArgs struct {
	StudentID int64  `json:"studentID"`
	Firstname string `json:"firstname"`
	Lastname  string `json:"lastname"`
}

// Inserted tells that an enrolment is on record.
var Inserted = rpc.NewEvent[InsertedEvent]("enroll", "inserted")

// InsertedEvent names the cast that is done.
type InsertedEvent struct {
	// Key is the idempotency key of the cast.
	Key       string    `json:"key"`
	StudentID int64     `json:"studentID"`
	At        time.Time `json:"at"`
}
