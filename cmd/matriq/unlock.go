package main

import (
	"context"
	"fmt"

	"matriq/pkg/api/otpapi"
	"matriq/pkg/rpc"
)

const unlockAbout = `Lifts what holds an address up: the wrong codes and the requests that were
counted for it are forgotten, so that its owner can have a code at once. The
address is held up after 20 wrong codes or 10 requests in 24 hours, also when
somebody else made them. Whether an address is on the list is not told.`

// unlock is matriq unlock.
func unlock(ctx context.Context, args []string, std stdio) error {
	flags := newFlags("unlock [flags] ADDRESS", unlockAbout, std)
	url := brokerFlag(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return errUsage
	}
	return withBroker(ctx, *url, std, func(ctx context.Context, conn *rpc.Conn) error {
		reply, err := otpapi.Unlock.Call(ctx, conn, otpapi.EmailRequest{Email: flags.Arg(0)})
		if err != nil {
			return err
		}
		said := "nothing was counted for this address"
		if reply.Unlocked {
			said = "unlocked"
		}
		_, err = fmt.Fprintln(std.out, said)
		return err
	})
}
