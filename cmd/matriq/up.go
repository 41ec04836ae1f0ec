//go:build !nosuite

package main

import (
	"bytes"
	"context"
	_ "embed" // the sample list
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"matriq/cmd/matriq/suite"
	"matriq/pkg/api/restapi"
)

const upAbout = `Runs the seven services in this process, with nothing else installed: messages
in memory, an embedded Redis, SQLite, and a mail server that keeps every mail in
an inbox page. All of it is on this machine alone and for trying things out; the
REST client is demo with password demo. --amqp, --redis, --mysql and --smtp put
one part each on a real server. What has been registered is kept in --data, so
a restart goes on where the last one ended. Ctrl-C stops it.`

//go:embed sample.csv
var sampleList []byte

const (
	whereToStart = " Start with: matriq up"
	// localGateway is where import sends a list unless it is told.
	localGateway = "http://" + suite.Client + "@127.0.0.1:7002"
)

func suiteCommands() []command {
	return []command{{"up", "run the whole registration in this process", up}}
}

// upFlags are the flags of matriq up.
type upFlags struct {
	ui, otp, register, inbox, admin string
	eligible, data                  string
	verbose                         bool
	servers                         suite.Servers
}

func upFlagSet(std stdio) (*flag.FlagSet, *upFlags) {
	flags, f := newFlags("up [flags]", upAbout, std), &upFlags{}
	flags.StringVar(&f.ui, "ui-addr", "127.0.0.1:8080", "`ADDRESS` of the pages")
	flags.StringVar(&f.otp, "otp-addr", "127.0.0.1:7002", "`ADDRESS` of the otp-gateway")
	flags.StringVar(&f.register, "register-addr", "127.0.0.1:7001", "`ADDRESS` of the register-gateway")
	flags.StringVar(&f.inbox, "inbox-addr", "127.0.0.1:8025", "`ADDRESS` of the inbox; /api/messages?to=… gives JSON")
	flags.StringVar(&f.admin, "admin-addr", "127.0.0.1:9090", "`ADDRESS` of /healthz, /startupz, /readyz and /metrics")
	flags.StringVar(&f.eligible, "eligible", "", "`FILE` of eligible addresses, one a line or CSV with a header; a sample of ten if empty")
	flags.StringVar(&f.data, "data", "", "`DIR` that keeps what survives a restart; a folder in your cache if empty")
	flags.BoolVar(&f.verbose, "verbose", false, "log every request, not only what goes wrong")
	flags.StringVar(&f.servers.AMQP, "amqp", "", "`URL` of a RabbitMQ in place of memory: amqp://user:password@host:5672/vhost")
	flags.StringVar(&f.servers.Redis, "redis", "", "`URL` of a Redis in place of the embedded one: redis://:password@host:6379/0")
	flags.StringVar(&f.servers.MySQL, "mysql", "", "`DSN` of a MariaDB in place of SQLite: user:password@tcp(host:3306)/matriq; enrolments go to the database with _enroll after its name, which is made if it is missing")
	flags.StringVar(&f.servers.SMTP, "smtp", "", "`URL` of a mail server in place of the inbox: smtp://user:password@host:587?tls=starttls")
	return flags, f
}

func up(ctx context.Context, args []string, std stdio) error {
	flags, f := upFlagSet(std)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return errUsage
	}
	cfg, err := f.config(ctx, std.err)
	if err != nil {
		return err
	}
	return suite.Run(ctx, cfg, func(ctx context.Context) error { return f.welcome(ctx, cfg, std.out) })
}

// config opens the five addresses and the data folder.
func (f *upFlags) config(ctx context.Context, stderr io.Writer) (suite.Config, error) {
	level := slog.LevelWarn
	if f.verbose {
		level = slog.LevelInfo
	}
	cfg := suite.Config{Servers: f.servers, Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))}
	var err error
	if cfg.Data, err = f.dataDir(); err != nil {
		return cfg, err
	}
	for _, l := range []struct {
		flag, addr string
		into       *net.Listener
	}{
		{"--ui-addr", f.ui, &cfg.UI},
		{"--otp-addr", f.otp, &cfg.OTP},
		{"--register-addr", f.register, &cfg.Register},
		{"--inbox-addr", f.inbox, &cfg.Inbox},
		{"--admin-addr", f.admin, &cfg.Admin},
	} {
		listener, listenErr := listenLoopback(ctx, l.flag, l.addr)
		*l.into = listener
		err = errors.Join(err, listenErr)
	}
	if err != nil {
		cfg.CloseListeners()
	}
	return cfg, err
}

// listenLoopback opens addr, which must be on this machine: the suite has a
// client with a known password.
func listenLoopback(ctx context.Context, flagName, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w; write an address such as 127.0.0.1:8080", flagName, addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%s %s is not on this machine alone: the suite is for trying things out; write 127.0.0.1 or run the services by themselves", flagName, addr)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: choose another address with %s (127.0.0.1:0 takes any free port)", addr, flagName)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flagName, err)
	}
	return listener, nil
}

func (f *upFlags) dataDir() (string, error) {
	dir := f.data
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the data: %w; name one with --data", err)
		}
		dir = filepath.Join(cache, "matriq")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("--data: %w", err)
	}
	return dir, nil
}

// welcome lists the eligible addresses and tells what to open and to try.
func (f *upFlags) welcome(ctx context.Context, cfg suite.Config, out io.Writer) error {
	report, err := f.loadEligible(ctx, cfg)
	if err != nil {
		return err
	}
	ui, inbox := "http://"+cfg.UI.Addr().String(), "http://"+cfg.Inbox.Addr().String()
	otp, register := "http://"+cfg.OTP.Addr().String(), "http://"+cfg.Register.Addr().String()
	fmt.Fprintf(out, "Matriq is ready: %d addresses may register (%d new, %d rejected).\n\n", report.Added+report.Present, report.Added, len(report.Rejected))
	for _, bad := range report.Rejected {
		fmt.Fprintf(out, "  row %d is no address: %q\n", bad.Row, bad.Value)
	}
	fmt.Fprintf(out, "  pages             %s\n", ui)
	if f.servers.SMTP == "" {
		fmt.Fprintf(out, "  inbox             %s\n", inbox)
	}
	fmt.Fprintf(out, "  otp-gateway       %s/docs\n  register-gateway  %s/docs\n  health            http://%s/readyz\n  data              %s\n", otp, register, cfg.Admin.Addr(), cfg.Data)
	if f.eligible == "" && f.servers.SMTP == "" {
		fmt.Fprintf(out, tryIt, otp, inbox, register, "malee@example.ac.th")
	}
	fmt.Fprint(out, "\nCtrl-C stops it.\n")
	return nil
}

// loadEligible imports the list through the gateway, as an operator would.
func (f *upFlags) loadEligible(ctx context.Context, cfg suite.Config) (report restapi.ImportReply, err error) {
	list := io.NopCloser(bytes.NewReader(sampleList))
	contentType := "text/csv"
	if f.eligible != "" {
		if list, contentType, err = openList(f.eligible); err != nil {
			return report, fmt.Errorf("--eligible: %w", err)
		}
	}
	defer list.Close()
	return sendList(ctx, "http://"+suite.Client+"@"+cfg.OTP.Addr().String(), contentType, list)
}

// tryIt is a registration by REST, to be copied into a shell.
const tryIt = `
Or by REST, three lines to copy (each sample address registers once):

  curl -su demo:demo %[1]s/getotp -H 'Content-Type: application/json' -d '{"email":"%[4]s"}'
  curl -su demo:demo %[1]s/authen -H 'Content-Type: application/json' -d '{"email":"%[4]s","otp":"'$(curl -s '%[2]s/api/messages?to=%[4]s' | grep -oE 'code: [0-9]{6}' | head -1 | cut -c7-)'"}'
  curl -su demo:demo %[3]s/register -H 'Content-Type: application/json' -d '{"firstname":"Malee","lastname":"Jaidee","email":"%[4]s"}'
`
