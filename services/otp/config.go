package otp

import (
	"slices"
	"time"

	"matriq/pkg/keyring"
	"matriq/pkg/proof"
	"matriq/pkg/seal"
	"matriq/pkg/service"
)

// About is what the program says of itself.
const About = "keeps the list of eligible addresses and their one-time codes"

// Config is what the program reads from its environment.
type Config struct {
	AMQPURL  string `env:"AMQP_URL,required" secret:"true" desc:"URL of RabbitMQ"`
	RedisURL string `env:"REDIS_URL,required" secret:"true" desc:"URL of Redis, also redis+sentinel://"`

	AdminAddr string `env:"ADMIN_ADDR" envDefault:":9090" desc:"address of /healthz, /startupz, /readyz and /metrics; also where healthcheck asks"`

	Rules
}

// Rules are the settings of the codes themselves.
type Rules struct {
	Pepper   string `env:"OTP_PEPPER,required" secret:"true" desc:"key under which codes are stored: kid:base64 of 32 bytes, two by comma while rotating; make one with: openssl rand -base64 32"`
	SealKey  string `env:"OTP_SEAL_KEY,required" secret:"true" desc:"key shared with email, under which codes travel: kid:base64 of 32 bytes, two by comma while rotating; make one with: openssl rand -base64 32"`
	ProofKey string `env:"OTP_PROOF_KEY" secret:"true" desc:"key shared with register-gateway, under which an address that proved itself gets a proof; none: no proofs, and each registration asks otp: kid:base64 of 32 bytes, two by comma while rotating"`
	Disclose bool   `env:"DISCLOSE_ELIGIBILITY" envDefault:"false" desc:"tell who asks for a code when the address is not listed or has registered"`

	Digits         int           `env:"OTP_DIGITS" envDefault:"6" desc:"digits of a code, 6 to 10"`
	TTL            time.Duration `env:"OTP_TTL" envDefault:"10m" desc:"life of a code"`
	Attempts       int           `env:"OTP_ATTEMPTS" envDefault:"5" desc:"guesses that a code bears"`
	FailuresPerDay int           `env:"OTP_FAILURES_PER_DAY" envDefault:"20" desc:"wrong guesses for an address in 24 hours before it is locked"`
	ResendAfter    time.Duration `env:"OTP_RESEND_AFTER" envDefault:"1m" desc:"pause after a code; it doubles with each code of the last hour"`
	PerHour        int           `env:"OTP_PER_HOUR" envDefault:"5" desc:"codes for an address in an hour"`
	PerDay         int           `env:"OTP_PER_DAY" envDefault:"10" desc:"codes for an address in 24 hours"`
	VerifiedFor    time.Duration `env:"VERIFIED_FOR" envDefault:"15m" desc:"how long an address that proved itself may register"`

	SourceLimit      int           `env:"SOURCE_LIMIT" envDefault:"30" desc:"requests for a code from one IPv4 address or IPv6 /64 in a window; 0: no limit"`
	SourceGuessLimit int           `env:"SOURCE_GUESS_LIMIT" envDefault:"50" desc:"wrong guesses from one IPv4 address or IPv6 /64 in a window, at whatever addresses; 0: no limit"`
	SourceWindow     time.Duration `env:"SOURCE_WINDOW" envDefault:"10m" desc:"the window of SOURCE_LIMIT and SOURCE_GUESS_LIMIT"`
	SourceAllow      string        `env:"SOURCE_ALLOW" desc:"networks by comma that SOURCE_LIMIT and SOURCE_GUESS_LIMIT do not hold for, such as a campus behind one address"`
}

// ReadConfig reports every missing or malformed setting at once.
func ReadConfig(env service.Env) (Config, error) {
	var cfg Config
	return cfg, env.Decode(&cfg)
}

// Validate implements [service.Validator].
func (c Config) Validate() []error {
	return slices.Concat(
		service.WeakURL("AMQP_URL", c.AMQPURL), service.WeakURL("REDIS_URL", c.RedisURL),
		c.badKeys(), c.badNumbers(),
	)
}

func (r Rules) badKeys() []error {
	var faults []error
	if _, err := ParsePepper(r.Pepper); err != nil {
		faults = append(faults, service.Fault{Setting: "OTP_PEPPER", Problem: "is refused", Cure: err.Error()})
	}
	if _, err := seal.ParseKeys(r.SealKey); err != nil {
		faults = append(faults, service.Fault{Setting: "OTP_SEAL_KEY", Problem: "is refused", Cure: err.Error()})
	}
	if _, err := proof.ParseKeys(r.ProofKey); err != nil {
		faults = append(faults, service.Fault{Setting: "OTP_PROOF_KEY", Problem: "is refused", Cure: err.Error()})
	}
	faults = append(faults, r.sameKeys()...)
	if _, err := parseNetworks(r.SourceAllow); err != nil {
		faults = append(faults, service.Fault{Setting: "SOURCE_ALLOW", Problem: err.Error(), Cure: "write networks such as 158.108.0.0/16, by comma"})
	}
	return faults
}

// sameKeys finds a key that is used for two things.
func (r Rules) sameKeys() []error {
	var faults []error
	refuse := func(setting, value, other, taken string) {
		if value != "" && value == taken {
			faults = append(faults, service.Fault{Setting: setting, Problem: "is the same as " + other, Cure: keyring.Cure})
		}
	}
	refuse("OTP_SEAL_KEY", r.SealKey, "OTP_PEPPER", r.Pepper)
	refuse("OTP_PROOF_KEY", r.ProofKey, "OTP_PEPPER", r.Pepper)
	refuse("OTP_PROOF_KEY", r.ProofKey, "OTP_SEAL_KEY", r.SealKey)
	return faults
}

func (r Rules) badNumbers() []error {
	var faults []error
	refuse := func(bad bool, setting, problem, cure string) {
		if bad {
			faults = append(faults, service.Fault{Setting: setting, Problem: problem, Cure: cure})
		}
	}
	const number, duration = "write a whole number above 0", "write a duration of a second or more, such as 10m"
	refuse(r.Digits < 6 || r.Digits > 10, "OTP_DIGITS", "is out of range", "write 6 to 10")
	refuse(r.Attempts < 1, "OTP_ATTEMPTS", "is not positive", number)
	refuse(r.FailuresPerDay < 1, "OTP_FAILURES_PER_DAY", "is not positive", number)
	refuse(r.PerHour < 1, "OTP_PER_HOUR", "is not positive", number)
	refuse(r.PerDay < 1, "OTP_PER_DAY", "is not positive", number)
	refuse(r.SourceLimit < 0, "SOURCE_LIMIT", "is negative", "write a whole number, 0 for no limit")
	refuse(r.SourceGuessLimit < 0, "SOURCE_GUESS_LIMIT", "is negative", "write a whole number, 0 for no limit")
	refuse(r.TTL < time.Second, "OTP_TTL", "is too short", duration)
	refuse(r.ResendAfter < time.Second, "OTP_RESEND_AFTER", "is too short", duration)
	refuse(r.VerifiedFor < time.Second, "VERIFIED_FOR", "is too short", duration)
	refuse(r.SourceWindow < time.Second, "SOURCE_WINDOW", "is too short", duration)
	return faults
}
