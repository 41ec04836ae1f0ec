package registergateway

import (
	"matriq/pkg/proof"
	"matriq/pkg/rest"
	"matriq/pkg/service"
)

// Config are the settings of the gateway.
type Config struct {
	AMQPURL   string `env:"AMQP_URL,required" secret:"true" desc:"the broker, amqp://user:password@host:5672/vhost"`
	HTTPAddr  string `env:"HTTP_ADDR" envDefault:":7001" desc:"address of the REST API"`
	AdminAddr string `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics; also where healthcheck asks"`
	ProofKey  string `env:"OTP_PROOF_KEY" secret:"true" desc:"key shared with otp, by which an address that proved itself is known without asking otp; none: otp is asked each time: kid:base64 of 32 bytes, two by comma while rotating"`
	REST      rest.Config
}

// ReadConfig reads the settings and reports every fault at once.
func ReadConfig(env service.Env) (Config, error) {
	var cfg Config
	err := env.Decode(&cfg)
	return cfg, err
}

// Validate implements [service.Validator].
func (c Config) Validate() []error {
	faults := append(service.WeakURL("AMQP_URL", c.AMQPURL), c.REST.Faults(c.HTTPAddr)...)
	if _, err := proof.ParseKeys(c.ProofKey); err != nil {
		faults = append(faults, service.Fault{Setting: "OTP_PROOF_KEY", Problem: "is refused", Cure: err.Error()})
	}
	return faults
}
