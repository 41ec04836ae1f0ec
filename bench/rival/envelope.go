package rival

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// NewEnvelopeCaller is [NewCaller] for requests that take along what those of
// package rpc do: the headers and the encoding that a Nameko worker reads, and the
// deadline. amqp091-go makes several objects of each, on both sides, whoever uses it;
// they are no cost of package rpc.
func NewEnvelopeCaller(url, method string) (*Caller, error) {
	c, err := NewCaller(url, method)
	if err != nil {
		return nil, err
	}
	c.headers, c.encoding = envelope, "utf-8"
	return c, nil
}

func envelope(deadline time.Time) amqp.Table {
	return amqp.Table{
		"nameko.call_id_stack": []any{"rival.call.SPHRBCFNKR2FIWQXTTYZLJ6FYM"},
		"nameko.language":      "th",
		"nameko.request_id":    "d41d8cd98f00b204",
		"nameko.client_ip":     "192.0.2.17",
		"matriq.deadline":      deadline.UnixMilli(),
	}
}
