package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"matriq/pkg/rpc"
	"matriq/services/email"
	"matriq/services/enroll"
	"matriq/services/otp"
	"matriq/services/student"
)

const topologyAbout = `Prints the exchanges, queues and bindings that the services declare at
RabbitMQ, with their kinds and arguments, from the code that declares them. The
reply queue of each process, which is exclusive to it, comes on top.`

// topology prints what the services declare.
func topology(_ context.Context, args []string, std stdio) error {
	if err := parse(newFlags("topology", topologyAbout, std), args); err != nil {
		return err
	}
	routes, err := allRoutes()
	if err != nil {
		return err
	}
	fmt.Fprint(std.out, rpc.TopologyOf(routes...))
	return nil
}

// allRoutes lists what the four workers serve. The services behind it are not
// started and have no store.
func allRoutes() ([]rpc.Route, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	mailer, err := email.New(nil, nil, email.Rules{
		Lane: email.LaneAll, SealKey: base64.StdEncoding.EncodeToString(key),
		From: "nobody@example.ac.th", Language: "en",
	}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		return nil, fmt.Errorf("routes of email: %w", err)
	}
	var routes []rpc.Route
	for _, served := range [][]rpc.Route{
		new(otp.Service).Routes(nil), mailer.Routes(nil), new(student.Service).Routes(), new(enroll.Service).Routes(nil),
	} {
		routes = append(routes, served...)
	}
	return routes, nil
}
