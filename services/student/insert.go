package student

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"matriq/pkg/address"
	"matriq/pkg/api/studentapi"
	"matriq/pkg/rpc"
)

// insert handles student.insert.
func (s *Service) insert(ctx context.Context, req studentapi.InsertRequest) (int64, error) {
	r, err := check(req)
	if err != nil {
		return 0, err
	}
	id, err := s.insertUnderKey(ctx, rpc.KeyFrom(ctx), req, r)
	if err != nil {
		return 0, atEdge(err)
	}
	return id, nil
}

// check makes a registration of req, or says which argument is at fault.
func check(req studentapi.InsertRequest) (Registration, error) {
	email, err := address.Canonical(req.Email)
	if err != nil {
		return Registration{}, rpc.Errorf(rpc.InvalidArgument, "the e-mail address is not valid: %w", err).Because("bad_email")
	}
	mailbox, err := address.Mailbox(req.Email)
	if err != nil {
		return Registration{}, fmt.Errorf("mailbox of a canonical address: %w", err)
	}
	first, err := studentapi.Name(req.Firstname)
	if err != nil {
		return Registration{}, rpc.Errorf(rpc.InvalidArgument, "the first name is not valid: %w", err).Because("bad_firstname")
	}
	last, err := studentapi.Name(req.Lastname)
	if err != nil {
		return Registration{}, rpc.Errorf(rpc.InvalidArgument, "the last name is not valid: %w", err).Because("bad_lastname")
	}
	return Registration{Email: email, Mailbox: mailbox, Firstname: first, Lastname: last}, nil
}

// settleTimeout bounds the note of an answer, which is made even when the caller
// has gone.
const settleTimeout = 2 * time.Second

// insertUnderKey registers r, under the client's idempotency key if there is
// one. The key only guards what the client sees; that there is one student is
// the business of the address.
func (s *Service) insertUnderKey(ctx context.Context, key string, req studentapi.InsertRequest, r Registration) (int64, error) {
	if key == "" {
		return s.register(ctx, r)
	}
	hash, err := hashOf(req)
	if err != nil {
		return 0, err
	}
	answer, err := s.store.Reserve(ctx, key, hash)
	if err != nil || answer != 0 {
		return answer, err
	}
	id, err := s.register(ctx, r)
	note, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if failed := s.store.Settle(note, key, id); failed != nil {
		// The reservation lapses by itself, and the repeat gets the same ID.
		s.log.WarnContext(ctx, "idempotency key not settled", slog.Any("error", failed))
	}
	return id, err
}

// hashOf identifies a request as the gateway hands it on.
func hashOf(req studentapi.InsertRequest) ([32]byte, error) {
	body, err := json.Marshal(req)
	if err != nil {
		return [32]byte{}, fmt.Errorf("encode request: %w", err)
	}
	return sha256.Sum256(body), nil
}

func (s *Service) register(ctx context.Context, r Registration) (int64, error) {
	id, first, err := s.store.Register(ctx, r)
	if err != nil {
		return 0, err
	}
	if first {
		s.relay.Wake()
		s.counts.registered.Inc()
		s.log.InfoContext(ctx, "student registered", slog.Int64("student_id", id), slog.String("email", address.Mask(r.Email)))
	}
	return id, nil
}
