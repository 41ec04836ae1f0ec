package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// serve starts everything, and an inbox, until ctx ends.
func serve(ctx context.Context) (err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.launchAll(ctx); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	inbox := &http.Server{Handler: w.mails.Handler(), ReadHeaderTimeout: time.Minute}
	defer inbox.Close()
	go func() { _ = inbox.Serve(l) }() // ends with Close
	fmt.Fprintf(os.Stdout, "pages=%s\ninbox=http://%s\nOTP_URL=%s\nREGISTER_URL=%s\n",
		w.shared["PUBLIC_ORIGIN"], l.Addr(), w.shared["OTP_URL"], w.shared["REGISTER_URL"])
	<-ctx.Done()
	return nil
}
