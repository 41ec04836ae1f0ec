// Command edge is what people and REST clients reach: Caddy, with the few of its
// modules that the Caddyfile uses and a cache of our own, without a shell or an
// admin API.
//
// Everything it does is written in the Caddyfile, which comes with the stack.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile" // the adapter, and with it HTTP and TLS
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/gzip"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/encode/zstd"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/requestbody"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	_ "github.com/caddyserver/caddy/v2/modules/caddytls/standardstek"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"
	_ "github.com/caddyserver/caddy/v2/modules/metrics"
	_ "golang.org/x/crypto/x509roots/fallback" // an image from scratch has no certificate authorities
	"golang.org/x/sys/unix"

	"matriq/deploy/edge/body"
	"matriq/deploy/edge/cache"
	"matriq/deploy/edge/task"
)

const usage = `edge: the door to Matriq, a Caddy with a cache.

Usage:
  edge [run]         serve /etc/caddy/Caddyfile until SIGTERM; EDGE_CONFIG names
                     another file
  edge check         tell what is wrong with that file
  edge healthcheck   exit 0 when the edge serves, else 1
  edge version       print the version

The Caddyfile lists the environment variables that it reads. An empty one counts
as not set.
`

// version and commit are stamped by the linker.
var version, commit = "devel", "unknown"

func main() {
	if err := execute(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

func execute(args []string, out io.Writer) error {
	unsetEmpty(os.Environ())
	switch command := strings.Join(args, " "); command {
	case "", "run":
		return run()
	case "check":
		return check()
	case "healthcheck":
		return healthcheck(context.Background())
	case "version":
		_, err := fmt.Fprintf(out, "edge %s (commit %s, %s %s/%s)\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	case "help", "--help", "-h":
		_, err := io.WriteString(out, usage)
		return err
	default:
		return fmt.Errorf("there is no command %q; edge help lists them", command)
	}
}

// unsetEmpty lets the defaults of the Caddyfile hold for what a stack file passes
// on as empty: Caddy itself takes empty for a value.
func unsetEmpty(environ []string) {
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); value == "" {
			_ = os.Unsetenv(name) // it was just listed
		}
	}
}

// run serves until SIGTERM or SIGINT.
func run() error {
	var leaving atomic.Bool
	config, err := adapt(&leaving)
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	if err := watchCertificate(); err != nil {
		return err
	}
	<-stop
	leaving.Store(true)
	<-time.After(farewellTime)
	turnAway(context.Background(), listening())
	endCaddy()
	return nil
}

// endCaddy does not return: Caddy ends the process, which it does in good order
// only when it hears the signal itself, and that is a moment after it was told to
// listen.
func endCaddy() {
	caddy.TrapSignals()
	for {
		_ = unix.Kill(os.Getpid(), unix.SIGTERM) // one's own process is there
		<-time.After(50 * time.Millisecond)
	}
}

func check() error {
	config, err := adapt(new(atomic.Bool))
	if err != nil {
		return err
	}
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	return caddy.Validate(&parsed)
}

// adapt turns the Caddyfile into Caddy's own JSON. Once leaving is true its sites
// send people away.
func adapt(leaving *atomic.Bool) ([]byte, error) {
	path, ok := os.LookupEnv("EDGE_CONFIG")
	if !ok {
		path = "/etc/caddy/Caddyfile"
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, err
	}
	body.Register()
	cache.Register()
	registerFarewell(leaving)
	task.Register()
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(text, map[string]any{"filename": path})
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "edge:", w)
	}
	return config, err
}

// healthcheck asks the edge that runs beside it.
func healthcheck(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	port, ok := os.LookupEnv("EDGE_LISTEN_ADMIN")
	if !ok {
		port = "9090"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", port)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}
