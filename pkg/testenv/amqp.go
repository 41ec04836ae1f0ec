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
func AMQP(t testing.TB) string {
	t.Helper()
	address, api := broker(t)
	return vhost(t, address, api)
}

// AMQPAPI returns the base URL of the management API of the broker that [AMQP]
// uses, with credentials, for a test that looks at queues or closes connections.
func AMQPAPI(t testing.TB) string {
	t.Helper()
	_, api := broker(t)
	return api
}

// broker returns the AMQP and the API URL of the shared broker.
func broker(t testing.TB) (address, api string) {
	t.Helper()
	wanted(t)
	address, api = os.Getenv(VarAMQP), os.Getenv(VarAMQPAPI)
	switch {
	case address != "" && api != "":
		return address, api
	case address != "" || api != "":
		t.Fatalf("set both %s and %s, or none of the two", VarAMQP, VarAMQPAPI)
	}
	instance, err := sharedBroker()
	if err != nil {
		unavailable(t, err)
	}
	return instance.URL, instance.API
}

func vhost(t testing.TB, address, api string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := "test-" + rand.Text()[:10]
	if err := servers.CreateVhost(t.Context(), api, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if err := servers.DeleteVhost(ctx, api, name); err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}
