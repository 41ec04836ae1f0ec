package otp

import (
	"context"

	"matriq/pkg/address"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
)

// maxShown is how many characters of a bad row the report repeats.
const maxShown = 100

// importList handles otp.create_email_list.
func (s *Service) importList(ctx context.Context, req otpapi.ImportRequest) (otpapi.ImportReply, error) {
	if len(req.Emails) > otpapi.MaxImport {
		return otpapi.ImportReply{}, rpc.Errorf(rpc.InvalidArgument, "a list has at most %d addresses", otpapi.MaxImport).Because(reasonTooMany)
	}
	good, bad := sift(req.Emails)
	added, err := s.store.List(ctx, good)
	if err != nil {
		return otpapi.ImportReply{}, s.failed(err)
	}
	return otpapi.ImportReply{Added: added, Present: len(good) - added, Rejected: bad}, nil
}

// sift tells addresses from rows that are none. The report's list is never nil,
// so that it is [] and not null on the wire.
func sift(rows []string) (good []Listing, bad []otpapi.Rejected) {
	bad = []otpapi.Rejected{}
	for i, row := range rows {
		listing, err := parseListing(row)
		if err != nil {
			bad = append(bad, otpapi.Rejected{Row: i + 1, Value: cut(row, maxShown), Reason: reasonBadEmail})
			continue
		}
		good = append(good, listing)
	}
	return good, bad
}

func parseListing(row string) (Listing, error) {
	who, err := address.Canonical(row)
	if err != nil {
		return Listing{}, err
	}
	mailbox, err := address.Mailbox(row)
	return Listing{Address: who, Mailbox: mailbox}, err
}

// cut returns the first n characters of s.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}
