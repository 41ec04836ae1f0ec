package enroll

import (
	"time"

	"matriq/pkg/service"
	"matriq/pkg/sqldb"
)

// Config are the settings of the program.
type Config struct {
	AMQPURL   string        `env:"AMQP_URL,required" secret:"true" desc:"the broker, amqp://user:password@host:5672/vhost"`
	DSN       string        `env:"MYSQL_DSN,required" secret:"true" desc:"the database, user:password@tcp(host:3306)/database"`
	AdminAddr string        `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics; also where healthcheck asks"`
	Inbox     time.Duration `env:"INBOX_KEEP" envDefault:"720h" desc:"how long keys of messages are kept that versions before this one noted"`
}

// ReadConfig reads the settings and reports every fault at once.
func ReadConfig(env service.Env) (Config, error) {
	var cfg Config
	err := env.Decode(&cfg)
	return cfg, err
}

// Validate implements [service.Validator].
func (c Config) Validate() []error {
	faults := service.WeakURL("AMQP_URL", c.AMQPURL)
	if host, user, password, ok := sqldb.Login(c.DSN); ok {
		faults = append(faults, service.WeakPassword("MYSQL_DSN", host, user, password)...)
	}
	if c.Inbox < time.Second {
		faults = append(faults, service.Fault{Setting: "INBOX_KEEP", Problem: "is too short", Cure: "write a duration of a second or more, such as 720h"})
	}
	return faults
}
