package rival

import (
	"strconv"
	"time"
)

// NewEnvelopeCaller is [NewCaller] for requests that take along what those of package
// rpc do, in the same property. amqp091-go makes several objects of it, on both sides,
// whoever uses it; they are no cost of package rpc.
func NewEnvelopeCaller(url, method string) (*Caller, error) {
	c, err := NewCaller(url, method)
	if err != nil {
		return nil, err
	}
	c.typeOf = envelope
	return c, nil
}

func envelope(deadline time.Time) string {
	return "rival.echo_envelope;language=th;request_id=d41d8cd98f00b204;client_ip=192.0.2.17" +
		";deadline=" + strconv.FormatInt(deadline.UnixMilli(), 10) +
		";call_id_stack=rival.call.SPHRBCFNKR2FIWQXTTYZLJ6FYM"
}
