package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Limits of every HTTP server of the suite.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 10 * time.Second
	unusedGrace       = 500 * time.Millisecond
	maxHeaderBytes    = 16 << 10
)

// HTTPOptions alter [Env.HTTP]; the zero value is right for a service.
type HTTPOptions struct {
	// Listener is used instead of opening addr. Serving closes it.
	Listener net.Listener
	// DrainDelay replaces the setting DRAIN_DELAY; negative: no delay.
	DrainDelay time.Duration
}

// HTTP serves h on addr. Headers must arrive within 5 s and fit into 16 KiB, a
// request within 30 s, its answer within 60 s; a handler that needs longer says
// so with [http.ResponseController].
//
// When ctx ends it serves DRAIN_DELAY more, because an edge may not know of the
// stop yet, and with each answer asks for the connection to be closed. Those
// that are idle stay open meanwhile: a request may be on its way on one. A client
// that lets go of what is idle for less than DRAIN_DELAY loses none. Then the
// requests under way have 10 s to finish. Requests do not see ctx end; those that are still
// running after that do.
func (e Env) HTTP(addr string, h http.Handler, o HTTPOptions) Part {
	return func(ctx context.Context) error {
		listener, err := listen(ctx, addr, o.Listener)
		if err != nil {
			return err
		}
		requests, abandon := context.WithCancel(context.WithoutCancel(ctx))
		defer abandon()
		var leaving atomic.Bool
		server := e.server(requests, untilLeaving(&leaving, h))
		var unused unusedConns
		server.ConnState = unused.note
		failed := make(chan error, 1)
		go func() { failed <- server.Serve(listener) }()
		e.Log.InfoContext(ctx, "listening", slog.String("addr", listener.Addr().String()))
		select {
		case err := <-failed:
			return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
		case <-ctx.Done():
			leaving.Store(true)
			return drain(requests, server, &unused, e.drainDelay(o))
		}
	}
}

func (e Env) server(requests context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(e.Log.Handler(), slog.LevelWarn),
	}
}

// untilLeaving keeps connections open until the server is leaving.
func untilLeaving(leaving *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (e Env) drainDelay(o HTTPOptions) time.Duration {
	if o.DrainDelay != 0 {
		return max(o.DrainDelay, 0)
	}
	return e.common.DrainDelay
}

// listen opens addr; its error names the address, and errors.Is finds
// [syscall.EADDRINUSE] in it.
func listen(ctx context.Context, addr string, opened net.Listener) (net.Listener, error) {
	if opened != nil {
		return opened, nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("open %s for HTTP: %w", addr, err)
	}
	return listener, nil
}

// drain stops server in the order that loses no request.
func drain(requests context.Context, server *http.Server, unused *unusedConns, delay time.Duration) error {
	wait := time.NewTimer(delay)
	defer wait.Stop()
	<-wait.C
	ctx, cancel := context.WithTimeout(requests, shutdownTimeout)
	defer cancel()
	defer time.AfterFunc(unusedGrace, unused.close).Stop()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests still running after %v: %w", shutdownTimeout, err), server.Close())
	}
	return nil
}
