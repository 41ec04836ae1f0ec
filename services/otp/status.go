package otp

import (
	"context"

	"matriq/pkg/api/otpapi"
)

// status handles otp.status.
func (s *Service) status(ctx context.Context, req otpapi.EmailRequest) (otpapi.StatusReply, error) {
	who, err := canonical(req.Email)
	if err != nil {
		return otpapi.StatusReply{}, err
	}
	standing, err := s.store.Status(ctx, who)
	if err != nil {
		return otpapi.StatusReply{}, s.failed(err)
	}
	return otpapi.StatusReply{
		Ref:          standing.Ref,
		ExpiresIn:    secondsLeft(standing.ExpiresIn),
		ResendAfter:  secondsToWait(standing.ResendAfter),
		AttemptsLeft: standing.AttemptsLeft,
		Verified:     standing.Verified,
		Email:        standing.Mailbox,
	}, nil
}
