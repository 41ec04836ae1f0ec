package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"matriq/pkg/mailsink"
	"matriq/pkg/service"
)

const inboxAbout = `Takes every mail that it is sent, delivers none, and shows them on a page: for
trying a stack out without a mail relay. The mails are in memory, the newest of
them, and are gone when it stops. Whoever reaches the page reads all codes.
Ctrl-C stops it.`

// inboxBytes is what the mails may take: the container has a quarter of a GB.
const inboxBytes = 64 << 20

// inbox serves SMTP and the page until ctx ends.
func inbox(ctx context.Context, args []string, std stdio) error {
	flags := newFlags("inbox [flags]", inboxAbout, std)
	smtpAddr := flags.String("smtp", "127.0.0.1:1025", "`ADDRESS` that takes mails, without TLS or login")
	httpAddr := flags.String("http", "127.0.0.1:8025", "`ADDRESS` of the page; /api/messages?to=… gives JSON")
	keep := flags.Int("keep", 10_000, "how many mails are kept")
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return errUsage
	}
	var config net.ListenConfig
	smtp, err := config.Listen(ctx, "tcp", *smtpAddr)
	if err != nil {
		return fmt.Errorf("--smtp: %w", err)
	}
	page, err := config.Listen(ctx, "tcp", *httpAddr)
	if err != nil {
		_ = smtp.Close() // nothing came on it
		return fmt.Errorf("--http: %w", err)
	}
	fmt.Fprintf(std.out, "Mails to smtp://%s are at http://%s\n", smtp.Addr(), page.Addr())
	env := service.NewEnv("inbox", nil, slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn})))
	sink := mailsink.New(mailsink.Options{Keep: *keep, KeepBytes: inboxBytes, Log: env.Log})
	return env.Serve(ctx,
		func(ctx context.Context) error { return sink.ServeSMTP(ctx, smtp) },
		env.HTTP("", sink.Handler(), service.HTTPOptions{Listener: page, DrainDelay: -1}))
}
