package rows

import (
	"context"
	"fmt"

	"matriq/bench/child"
	"matriq/bench/measure"
	"matriq/bench/peer"
)

const bare = "bare net/http"

func pages() Row {
	return Row{
		Name: "page", Title: "First page",
		About: "GET / of the real ui process against a bare net/http server that sends the same header and the same bytes. " +
			"The client is a process of its own that writes a constant request on each of its connections and reads the answer " +
			"by its Content-Length.",
		Measure: measurePages,
	}
}

func measurePages(ctx context.Context, b Bench, tell func(measure.Result)) (err error) {
	suite, err := b.Stand.StartSuite(ctx, "127.0.0.1:1", nil, "ui") // nothing here sends a mail
	if err != nil {
		return err
	}
	server, err := b.Stand.Child(peer.RolePageServer, "bare")
	if err != nil {
		return err
	}
	var addr string
	if err := server.Ask(ctx, peer.AskOpen, suite.URL("ui")+"/", &addr); err != nil {
		return err
	}
	clients := map[string]*child.Child{}
	for name, at := range map[string]string{ours: suite.Program("ui").HTTP, bare: addr} {
		if clients[name], err = opened(ctx, b, peer.RolePageClient, "client", at); err != nil {
			return err
		}
	}
	for _, connections := range pick(b, 50, 500) {
		c := measure.Case{
			Name: fmt.Sprintf("%d connections", connections),
			Contenders: []measure.Contender{
				contender(ours, connections, 0, clients[ours]), contender(bare, connections, 0, clients[bare]),
			},
			Targets: []measure.Target{measure.Ratio(measure.Rate, ours, bare, false, 85)},
		}
		if err := compare(ctx, b, c, tell); err != nil {
			return err
		}
	}
	return nil
}
