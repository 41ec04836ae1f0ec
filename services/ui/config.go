package ui

import (
	"net/url"
	"strings"
	"time"

	"matriq/pkg/admission"
	"matriq/pkg/clientip"
	"matriq/pkg/service"
)

// Config are the settings of the pages.
type Config struct {
	HTTPAddr    string `env:"HTTP_ADDR" envDefault:":8080" desc:"address the pages are served on"`
	AdminAddr   string `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics"`
	RedisURL    string `env:"REDIS_URL,required" secret:"true" desc:"Redis that holds the sessions"`
	OTPURL      string `env:"OTP_URL,required" secret:"true" desc:"otp-gateway, with the client's name and password: http://name:password@otp-gateway:7002"`
	RegisterURL string `env:"REGISTER_URL,required" secret:"true" desc:"register-gateway, with the client's name and password"`

	PublicOrigin   string           `env:"PUBLIC_ORIGIN" envDefault:"http://localhost:8080" desc:"scheme, host and port under which people reach the pages"`
	AllowedHosts   []string         `env:"ALLOWED_HOSTS" desc:"further names a request's Host may have, by comma; the one of PUBLIC_ORIGIN always may"`
	AllowPlainHTTP bool             `env:"ALLOW_PLAIN_HTTP" envDefault:"false" desc:"allow a PUBLIC_ORIGIN without TLS that is not this machine: for a test network, never for people"`
	TrustedProxies clientip.Trusted `env:"TRUSTED_PROXIES" desc:"networks whose X-Forwarded-For is believed, by comma; empty: none"`

	GatewayTimeout  time.Duration `env:"GATEWAY_TIMEOUT" envDefault:"12s" desc:"how long the answer of a gateway is waited for, repeats included"`
	SessionIdle     time.Duration `env:"SESSION_IDLE" envDefault:"15m" desc:"life of a session in which nothing happens"`
	SessionLifetime time.Duration `env:"SESSION_LIFETIME" envDefault:"60m" desc:"life of a session, whatever happens"`

	SiteNameTH  string `env:"SITE_NAME_TH" envDefault:"ระบบลงทะเบียนนักศึกษา" desc:"name of the site in Thai"`
	SiteNameEN  string `env:"SITE_NAME_EN" envDefault:"Student Registration" desc:"name of the site in English"`
	ShowReplica bool   `env:"SHOW_REPLICA" envDefault:"false" desc:"show on each page which replica served it"`

	Admission admission.Config
}

// ReadConfig reports every missing or malformed setting at once.
func ReadConfig(env service.Env) (Config, error) {
	var cfg Config
	return cfg, env.Decode(&cfg)
}

// Validate implements [service.Validator].
func (c Config) Validate() []error {
	faults := append(c.originFaults(), service.WeakURL("REDIS_URL", c.RedisURL)...)
	faults = append(faults, c.Admission.Faults()...)
	for name, raw := range map[string]string{"OTP_URL": c.OTPURL, "REGISTER_URL": c.RegisterURL} {
		if _, err := newEndpoint(raw); raw != "" && err != nil {
			faults = append(faults, service.Fault{Setting: name, Problem: err.Error(), Cure: "write http://name:password@host:port"})
			continue
		}
		faults = append(faults, service.WeakURL(name, raw)...)
	}
	if c.SessionIdle < time.Second || c.SessionLifetime < c.SessionIdle {
		faults = append(faults, service.Fault{
			Setting: "SESSION_IDLE", Problem: "is not between 1s and SESSION_LIFETIME",
			Cure: "write durations such as 15m and 60m",
		})
	}
	if c.GatewayTimeout <= 0 {
		faults = append(faults, service.Fault{Setting: "GATEWAY_TIMEOUT", Problem: "is not more than 0", Cure: "write a duration such as 12s"})
	}
	return faults
}

func (c Config) originFaults() []error {
	origin, err := url.Parse(c.PublicOrigin)
	if err != nil || origin.Host == "" || origin.Scheme+"://"+origin.Host != strings.TrimSuffix(c.PublicOrigin, "/") ||
		origin.Scheme != "http" && origin.Scheme != "https" {
		return []error{service.Fault{
			Setting: "PUBLIC_ORIGIN", Problem: "is no origin",
			Cure: "write scheme and host alone, such as https://register.example.ac.th",
		}}
	}
	if origin.Scheme == "http" && !isLoopback(origin.Hostname()) && !c.AllowPlainHTTP {
		return []error{service.Fault{
			Setting: "PUBLIC_ORIGIN", Problem: "has no TLS, and sessions would travel readable",
			Cure: "write an https origin, or set ALLOW_PLAIN_HTTP=true on a test network",
		}}
	}
	return nil
}

// origin is PUBLIC_ORIGIN in parts; Validate has seen it.
func (c Config) origin() *url.URL {
	origin, err := url.Parse(c.PublicOrigin)
	if err != nil {
		return &url.URL{}
	}
	return origin
}

func (c Config) secure() bool { return c.origin().Scheme == "https" }
