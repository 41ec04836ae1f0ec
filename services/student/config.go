package student

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
	Resend    time.Duration `env:"OUTBOX_RESEND" envDefault:"60s" desc:"wait for the event that tells that a cast was done before it is sent again; doubles each time"`
	Keep
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
	refuse := func(bad bool, setting, problem, cure string) {
		if bad {
			faults = append(faults, service.Fault{Setting: setting, Problem: problem, Cure: cure})
		}
	}
	const duration = "write a duration of a second or more, such as 24h"
	refuse(c.FirstID < 1, "STUDENT_ID_FIRST", "is less than 1", "write a number such as 69000001")
	refuse(c.Resend < time.Second, "OUTBOX_RESEND", "is too short", duration)
	refuse(c.KeyLife < time.Second, "IDEMPOTENCY_KEY_LIFE", "is too short", duration)
	refuse(c.InFlight < time.Second, "IDEMPOTENCY_IN_FLIGHT", "is too short", duration)
	refuse(c.Casts < time.Second, "OUTBOX_KEEP", "is too short", duration)
	refuse(c.Inbox < time.Second, "INBOX_KEEP", "is too short", duration)
	return faults
}
