package otp

import (
	"context"
	"fmt"

	"matriq/pkg/address"
	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
)

// withdraw handles otp.delete. What the address has asked for and got wrong
// still counts.
func (s *Service) withdraw(ctx context.Context, req otpapi.EmailRequest) error {
	who, err := canonical(req.Email)
	if err != nil {
		return err
	}
	if err := s.store.Withdraw(ctx, who); err != nil {
		return fmt.Errorf("withdraw the code of %s: %w", address.Mask(who), err)
	}
	return nil
}

// unlock handles otp.unlock.
func (s *Service) unlock(ctx context.Context, req otpapi.EmailRequest) (otpapi.UnlockReply, error) {
	who, err := canonical(req.Email)
	if err != nil {
		return otpapi.UnlockReply{}, err
	}
	forgot, err := s.store.Unlock(ctx, who)
	if err != nil {
		return otpapi.UnlockReply{}, s.failed(err)
	}
	return otpapi.UnlockReply{Unlocked: forgot}, nil
}

// retire handles otp.retire. A repeat changes nothing and tells the same again.
func (s *Service) retire(ctx context.Context, req otpapi.EmailRequest, retired rpc.Gathering[otpapi.RetiredEvent]) error {
	who, err := canonical(req.Email)
	if err != nil {
		return err
	}
	at, err := s.store.Retire(ctx, who)
	if err != nil {
		return fmt.Errorf("retire %s: %w", address.Mask(who), err)
	}
	key := rpc.KeyFrom(ctx)
	return retired.Emit(rpc.WithKey(ctx, key+"/retired"), otpapi.RetiredEvent{Key: key, At: at})
}
