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

// authen handles otp.authen: otp.prove without the proof.
func (s *Service) authen(ctx context.Context, req otpapi.AuthenRequest) (int, error) {
	reply, err := s.prove(ctx, req)
	return reply.Results, err
}

// prove handles otp.prove.
func (s *Service) prove(ctx context.Context, req otpapi.AuthenRequest) (otpapi.ProveReply, error) {
	who, err := canonical(req.Email)
	if err != nil {
		return otpapi.ProveReply{}, err
	}
	if !codePattern.MatchString(req.OTP) {
		return otpapi.ProveReply{}, rpc.Errorf(rpc.InvalidArgument, "a code has 6 to 10 digits").Because(reasonBadOTP)
	}
	verdict, err := s.store.Spend(ctx, Guess{
		Address: who,
		Source:  s.allowed.source(rpc.MetaFrom(ctx).ClientIP),
		Once:    s.pepper.Once(ctx, req.OTP),
		Digests: s.pepper.Digests(who, req.OTP),
	})
	if err != nil {
		return otpapi.ProveReply{}, s.failed(err)
	}
	if !verdict.Right {
		return otpapi.ProveReply{}, nil
	}
	s.counts.proved.Inc()
	return otpapi.ProveReply{Results: 1, Proof: s.proofs.Make(who, verdict.Mailbox, verdict.Until)}, nil
}
