package rest

import (
	"net"
	"net/netip"

	"matriq/pkg/clientip"
	"matriq/pkg/service"
	"matriq/pkg/service/httpd"
)

// Config are the settings that all gateways have.
type Config struct {
	Clients        Clients          `env:"API_CLIENTS,required" secret:"true" desc:"REST clients as name:password:scope+scope, several by comma or newline; passwords of 12 characters or more; scopes are otp, register and import"`
	TrustedProxies clientip.Trusted `env:"TRUSTED_PROXIES" desc:"networks whose X-Forwarded-For is believed, by comma; the pages' own must be there, or all their visitors count as one source; empty: none"`
	AllowedHosts   Hosts            `env:"ALLOWED_HOSTS" desc:"names a request's Host may have, by comma; empty: any, which is safe for an API that asks every caller for a credential"`
	MaxBody        int64            `env:"MAX_BODY_BYTES" envDefault:"4096" desc:"greatest JSON body"`

	// Demo lets weak passwords pass, for the suite on one machine: no setting
	// turns it on. Requests that did not arrive on a loopback address are then
	// refused, whatever the server listens on.
	Demo bool
}

// Faults returns every fault for a gateway that listens on addr.
func (c Config) Faults(addr string) []error {
	faults := c.Clients.faults()
	if c.MaxBody < 1 {
		faults = append(faults, service.Fault{Setting: "MAX_BODY_BYTES", Problem: "is less than 1", Cure: "write a number of bytes such as 4096"})
	}
	if !c.Demo {
		return append(faults, c.Clients.weak()...)
	}
	if !isLoopback(addr) {
		faults = append(faults, service.Fault{
			Setting: "HTTP_ADDR",
			Problem: "is no loopback address, and the demo's password is known to everybody",
			Cure:    "listen on 127.0.0.1, or start the services one by one with API_CLIENTS of their own",
		})
	}
	return faults
}

// Hosts are the names of ALLOWED_HOSTS.
type Hosts struct{ list httpd.Hosts }

// UnmarshalText reads names by comma.
func (h *Hosts) UnmarshalText(text []byte) (err error) {
	h.list, err = httpd.ParseHosts("", string(text))
	return err
}

// isLoopback is true for host:port with a loopback address as host.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
