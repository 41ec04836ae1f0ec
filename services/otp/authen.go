package otp

import (
	"context"
	"regexp"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
)

// codePattern takes the lengths that any setting allows. Other digits than
// ASCII's are translated where they are typed, on the page.
var codePattern = regexp.MustCompile(`^[0-9]{6,10}$`)

// authen handles otp.authen.
func (s *Service) authen(ctx context.Context, req otpapi.AuthenRequest) (int, error) {
	who, err := canonical(req.Email)
	if err != nil {
		return 0, err
	}
	if !codePattern.MatchString(req.OTP) {
		return 0, rpc.Errorf(rpc.InvalidArgument, "a code has 6 to 10 digits").Because(reasonBadOTP)
	}
	right, err := s.store.Spend(ctx, Guess{
		Address: who,
		Source:  s.allowed.source(rpc.MetaFrom(ctx).ClientIP),
		Once:    s.pepper.Once(ctx, req.OTP),
		Digests: s.pepper.Digests(who, req.OTP),
	})
	if err != nil {
		return 0, s.failed(err)
	}
	if !right {
		return 0, nil
	}
	s.counts.proved.Inc()
	return 1, nil
}
