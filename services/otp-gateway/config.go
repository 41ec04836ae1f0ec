package otpgateway

import (
	"matriq/pkg/admission"
	"matriq/pkg/rest"
	"matriq/pkg/service"
)

// Config are the settings of the gateway.
type Config struct {
	AMQPURL     string `env:"AMQP_URL,required" secret:"true" desc:"the broker, amqp://user:password@host:5672/vhost"`
	HTTPAddr    string `env:"HTTP_ADDR" envDefault:":7002" desc:"address of the REST API"`
	AdminAddr   string `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics; also where healthcheck asks"`
	MaxImport   int64  `env:"MAX_IMPORT_BYTES" envDefault:"67108864" desc:"greatest list of addresses"`
	MaxRejected int    `env:"MAX_IMPORT_REJECTED" envDefault:"100000" desc:"an import stops at this many bad rows: it is the wrong file"`
	REST        rest.Config
	Admission   admission.Config
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
	faults = append(faults, c.Admission.Faults()...)
	if c.MaxImport < 1 {
		faults = append(faults, service.Fault{Setting: "MAX_IMPORT_BYTES", Problem: "is less than 1", Cure: "write a number of bytes such as 67108864"})
	}
	if c.MaxRejected < 1 {
		faults = append(faults, service.Fault{Setting: "MAX_IMPORT_REJECTED", Problem: "is less than 1", Cure: "write a number of rows such as 100000"})
	}
	return faults
}
