package service_test

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matriq/pkg/clientip"
	"matriq/pkg/service"
)

type config struct {
	Broker  string           `env:"AMQP_URL,required" secret:"true" desc:"the broker"`
	TTL     time.Duration    `env:"OTP_TTL" envDefault:"10m" desc:"life of a code"`
	Tries   int              `env:"OTP_ATTEMPTS" envDefault:"5" desc:"guesses for a code"`
	Key     [2]byte          `env:"-"`
	Port    int              `env:"SECRET_PORT" secret:"true" desc:"a number nobody may see"`
	Proxies clientip.Trusted `env:"TRUSTED_PROXIES" desc:"networks that are believed"`
	Mail    struct {
		Lane string `env:"LANE" envDefault:"all" desc:"which mails"`
	} `envPrefix:"EMAIL_"`
}

func (c *config) Validate() []error {
	if c.TTL < time.Minute {
		return []error{service.Fault{Setting: "OTP_TTL", Problem: "is below 1m", Cure: "write 1m or more"}}
	}
	return nil
}

func decode(t *testing.T, vars map[string]string) (config, error) {
	t.Helper()
	var c config
	err := service.NewEnv("otp", vars, slog.New(slog.DiscardHandler)).Decode(&c)
	return c, err
}

func TestEnv_Decode(t *testing.T) {
	t.Parallel()
	c, err := decode(t, map[string]string{
		"AMQP_URL": "amqp://b", "OTP_ATTEMPTS": "7", "OTP_TTL": "", "EMAIL_LANE": "otp", "TRUSTED_PROXIES": "10.0.0.0/8",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Broker != "amqp://b" || c.Tries != 7 || c.TTL != 10*time.Minute || c.Mail.Lane != "otp" {
		t.Errorf("Decode = %+v", c)
	}
}

func TestEnv_Decode_File(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"plain": "amqp://b", "newline": "amqp://b\n", "windows": "amqp://b\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c, err := decode(t, map[string]string{"AMQP_URL_FILE": secret(t, content)}); err != nil || c.Broker != "amqp://b" {
				t.Errorf("Decode = %q, %v; want amqp://b", c.Broker, err)
			}
		})
	}
}

// A value may end in a newline of its own; the file's alone is dropped.
func TestEnv_Decode_FileLosesOneNewline(t *testing.T) {
	t.Parallel()
	if c, err := decode(t, map[string]string{"AMQP_URL_FILE": secret(t, "amqp://b\n\n")}); err != nil || c.Broker != "amqp://b\n" {
		t.Errorf("Decode = %q, %v", c.Broker, err)
	}
}

func TestEnv_Decode_Faults(t *testing.T) {
	t.Parallel()
	good := map[string]string{"AMQP_URL": "amqp://b"}
	for name, tc := range map[string]struct {
		vars map[string]string
		want []string // one for each fault, in order
	}{
		"missing":        {map[string]string{"AMQP_URL": ""}, []string{"AMQP_URL is not set: set AMQP_URL, or AMQP_URL_FILE to a file that holds it (the broker)"}},
		"set twice":      {map[string]string{"AMQP_URL_FILE": "/x"}, []string{"AMQP_URL is set twice, also as AMQP_URL_FILE: keep one of the two"}},
		"no such file":   {map[string]string{"AMQP_URL": "", "AMQP_URL_FILE": "/no/such"}, []string{"AMQP_URL cannot be read from its file: mend AMQP_URL_FILE (open /no/such: no such file or directory)"}},
		"empty file":     {map[string]string{"AMQP_URL": "", "AMQP_URL_FILE": "/dev/null"}, []string{"AMQP_URL is not set: set AMQP_URL, or AMQP_URL_FILE to a file that holds it (the broker)"}},
		"duration":       {map[string]string{"OTP_TTL": "10"}, []string{`OTP_TTL is "10": write a duration such as 90s, 10m or 24h`}},
		"number":         {map[string]string{"OTP_ATTEMPTS": "five"}, []string{`OTP_ATTEMPTS is "five": write a whole number`}},
		"own parser":     {map[string]string{"TRUSTED_PROXIES": "edge"}, []string{`TRUSTED_PROXIES is "edge": "edge" is no network such as`}},
		"secret":         {map[string]string{"SECRET_PORT": "hunter2"}, []string{"SECRET_PORT is malformed: write a whole number"}},
		"validated":      {map[string]string{"OTP_TTL": "1s"}, []string{"OTP_TTL is below 1m: write 1m or more"}},
		"of every one":   {map[string]string{"LOG_LEVEL": "loud", "LOG_FORMAT": "xml"}, []string{`LOG_LEVEL is "loud"`, "LOG_FORMAT is neither json nor text"}},
		"all at once":    {map[string]string{"AMQP_URL": "", "OTP_TTL": "x", "OTP_ATTEMPTS": "x"}, []string{"AMQP_URL", "OTP_TTL", "OTP_ATTEMPTS"}},
		"common drain":   {map[string]string{"DRAIN_DELAY": "-1s"}, []string{"DRAIN_DELAY is negative"}},
		"common collide": {map[string]string{"DRAIN_DELAY": "x"}, []string{`DRAIN_DELAY is "x": write a duration`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vars := map[string]string{}
			for _, layer := range []map[string]string{good, tc.vars} {
				maps.Copy(vars, layer)
			}
			_, err := decode(t, vars)
			faults := lines(err)
			if len(faults) != len(tc.want) {
				t.Fatalf("Decode = %v, want %d faults", err, len(tc.want))
			}
			for i, want := range tc.want {
				if !strings.Contains(faults[i], want) {
					t.Errorf("fault %d = %q, want %q", i, faults[i], want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats a secret: %v", err)
			}
		})
	}
}

// lines returns the faults of err, one each.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")[1:]
}

func TestSettings(t *testing.T) {
	t.Parallel()
	var got []string
	for _, s := range service.Settings(config{}) {
		got = append(got, s.Name)
	}
	want := "AMQP_URL OTP_TTL OTP_ATTEMPTS SECRET_PORT TRUSTED_PROXIES EMAIL_LANE"
	if strings.Join(got, " ") != want {
		t.Errorf("Settings = %v, want %s", got, want)
	}
	first := service.Settings(&config{})[0]
	if !first.Required || !first.Secret || first.About != "the broker" {
		t.Errorf("Settings[0] = %+v", first)
	}
}

func TestNewEnv_LogsWhoItIs(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	env := service.NewEnv("otp", nil, slog.New(slog.NewJSONHandler(&log, nil)))
	env.Log.Info("hello")
	if !strings.Contains(log.String(), `"service":"otp"`) || !strings.Contains(log.String(), `"instance":"`+env.Instance+`"`) {
		t.Errorf("log = %s", log.String())
	}
	if other := service.NewEnv("otp", nil, env.Log); other.Instance == env.Instance {
		t.Errorf("two replicas are both %s", env.Instance)
	}
}

func secret(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
