package email

import (
	"fmt"
	"net/mail"
	"slices"
	"time"

	"matriq/pkg/address"
	"matriq/pkg/rpc"
	"matriq/pkg/seal"
	"matriq/pkg/service"
)

// Config is what the program reads from its environment.
type Config struct {
	AMQPURL   string        `env:"AMQP_URL,required" secret:"true" desc:"URL of RabbitMQ"`
	RedisURL  string        `env:"REDIS_URL,required" secret:"true" desc:"URL of Redis, also redis+sentinel://, for the log of what was sent"`
	LogTTL    time.Duration `env:"MAIL_LOG_TTL" envDefault:"720h" desc:"how long a sent mail is remembered, so that a repeat of its cast sends nothing"`
	AdminAddr string        `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics; also where healthcheck asks"`
	Rules
	SMTPConfig
}

// Rules are the settings of the mails themselves.
type Rules struct {
	Lane     Lane          `env:"EMAIL_LANE" envDefault:"all" desc:"what this worker mails: otp, confirm or all"`
	SealKey  string        `env:"OTP_SEAL_KEY" secret:"true" desc:"key shared with otp, under which codes travel; needed unless EMAIL_LANE is confirm: kid:base64 of 32 bytes, two by comma while rotating"`
	From     string        `env:"MAIL_FROM,required" desc:"who the mails are from: an address, or Name <address>"`
	Language string        `env:"MAIL_LANGUAGE_DEFAULT" envDefault:"th" desc:"language of a mail to somebody whose language is not known: th or en"`
	Timeout  time.Duration `env:"MAIL_TIMEOUT" envDefault:"20s" desc:"how long one attempt at a mail may take, waiting for a connection included"`

	SiteNameTH string `env:"SITE_NAME_TH" envDefault:"ระบบลงทะเบียนนักศึกษา" desc:"name of the site in Thai"`
	SiteNameEN string `env:"SITE_NAME_EN" envDefault:"Student Registration" desc:"name of the site in English"`
}

// ReadConfig reports every missing or malformed setting at once.
func ReadConfig(env service.Env) (Config, error) {
	var cfg Config
	return cfg, env.Decode(&cfg)
}

// RPC returns the options of the program's connection to the broker. It takes on twice
// as many casts of a lane as it has connections to the mail server, so that none of those
// rests while others claim their mail, note it, or tell of it.
func (c Config) RPC(env service.Env) rpc.Options {
	o := env.RPC()
	o.Prefetch = 2 * c.Connections
	return o
}

// Validate implements [service.Validator].
func (c Config) Validate() []error {
	faults := slices.Concat(
		service.WeakURL("AMQP_URL", c.AMQPURL), service.WeakURL("REDIS_URL", c.RedisURL),
		c.Rules.faults(), c.SMTPConfig.faults(),
	)
	if c.LogTTL < time.Hour {
		faults = append(faults, service.Fault{
			Setting: "MAIL_LOG_TTL", Problem: "is less than an hour, in which a cast may be repeated",
			Cure: "write a duration such as 720h",
		})
	}
	return faults
}

func (r Rules) faults() []error {
	var faults []error
	if _, err := seal.ParseKeys(r.SealKey); err != nil && r.Lane.codes() {
		faults = append(faults, service.Fault{Setting: "OTP_SEAL_KEY", Problem: "is refused", Cure: err.Error()})
	}
	if _, err := r.from(); err != nil {
		faults = append(faults, service.Fault{Setting: "MAIL_FROM", Problem: err.Error(), Cure: "write Name <address>"})
	}
	if !known(r.Language) {
		faults = append(faults, service.Fault{Setting: "MAIL_LANGUAGE_DEFAULT", Problem: "is neither th nor en", Cure: "write th or en"})
	}
	if r.Timeout < time.Second {
		faults = append(faults, service.Fault{Setting: "MAIL_TIMEOUT", Problem: "is less than a second", Cure: "write a duration such as 20s"})
	}
	return faults
}

// from returns the sender.
func (r Rules) from() (*mail.Address, error) {
	from, err := mail.ParseAddress(r.From)
	if err != nil {
		return nil, fmt.Errorf("is no address: %w", err)
	}
	if from.Address, err = address.Mailbox(from.Address); err != nil {
		return nil, fmt.Errorf("is no address: %w", err)
	}
	if unsafe(from.Name) {
		return nil, fmt.Errorf("has a name with a line end: %w", ErrUnsafe)
	}
	return from, nil
}

func (r Rules) site(language string) string {
	if language == english {
		return r.SiteNameEN
	}
	return r.SiteNameTH
}
