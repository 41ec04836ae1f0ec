package testenv

import (
	"crypto/rand"
	"net/url"
	"os"
	"testing"

	"matriq/pkg/testenv/servers"
)

// AMQP returns the URL of a virtual host that the test has for itself. It is
// deleted, with its queues and connections, when the test ends.
func AMQP(tb testing.TB) string {
	tb.Helper()
	address, api := broker(tb)
	return vhost(tb, address, api)
}

// AMQPAPI returns the base URL of the management API of the broker that [AMQP]
// uses, with credentials, for a test that looks at queues or closes connections.
func AMQPAPI(tb testing.TB) string {
	tb.Helper()
	_, api := broker(tb)
	return api
}

// AMQPMetrics returns host:port where the broker that [AMQP] uses serves its
// metrics for Prometheus.
func AMQPMetrics(tb testing.TB) string {
	tb.Helper()
	addr, err := servers.MetricsAddr(tb.Context(), AMQPAPI(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return addr
}

// broker returns the AMQP and the API URL of the shared broker.
func broker(tb testing.TB) (address, api string) {
	tb.Helper()
	wanted(tb)
	address, api = os.Getenv(VarAMQP), os.Getenv(VarAMQPAPI)
	switch {
	case address != "" && api != "":
		return address, api
	case address != "" || api != "":
		tb.Fatalf("set both %s and %s, or none of the two", VarAMQP, VarAMQPAPI)
	}
	instance, err := sharedBroker()
	if err != nil {
		unavailable(tb, err)
	}
	return instance.URL, instance.API
}

func vhost(tb testing.TB, address, api string) string {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	name := "test-" + rand.Text()[:10]
	if err := servers.CreateVhost(tb.Context(), api, name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if err := servers.DeleteVhost(ctx, api, name); err != nil {
			tb.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}
