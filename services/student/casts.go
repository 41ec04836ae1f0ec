package student

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"matriq/pkg/api/emailapi"
	"matriq/pkg/api/enrollapi"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
	"matriq/pkg/rpc/outbox"
)

// followUps are the casts that a registration makes necessary. They carry the
// language and the request ID of ctx.
func followUps(ctx context.Context, id int64, r Registration) ([]rpc.Message, error) {
	enroll, err := enrollapi.Insert.Message(ctx, enrollapi.InsertArgs{
		StudentID: id, Firstname: r.Firstname, Lastname: r.Lastname,
	})
	if err != nil {
		return nil, err
	}
	confirm, err := emailapi.SendConfirmation.Message(ctx, emailapi.SendConfirmationArgs{
		StudentID: id, Firstname: r.Firstname, Lastname: r.Lastname, Email: r.Mailbox,
	})
	if err != nil {
		return nil, err
	}
	retire, err := otpapi.Retire.Message(ctx, otpapi.EmailRequest{Email: r.Email})
	if err != nil {
		return nil, err
	}
	return []rpc.Message{enroll, confirm, retire}, nil
}

// subject names a student in the outbox, so that the key of a cast is
// "student/69000001/enroll.insert".
func subject(id int64) string { return fmt.Sprintf("student/%d", id) }

// parseKey tells whose cast has key, and where it went.
func parseKey(key string) (id int64, target string, ok bool) {
	subject, target, ok := outbox.SplitKey(key)
	if !ok {
		return 0, "", false
	}
	digits, ok := strings.CutPrefix(subject, "student/")
	if !ok {
		return 0, "", false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, target, err == nil
}
