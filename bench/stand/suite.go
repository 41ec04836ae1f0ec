package stand

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	_ "github.com/go-sql-driver/mysql" // makes the schemas

	"matriq/pkg/testenv/servers"
)

// Services are the seven programs.
func Services() []string {
	return []string{"otp", "email", "student", "enroll", "otp-gateway", "register-gateway", "ui"}
}

// Login is the REST client's name and password.
const Login = "bench:correct-horse-battery-staple"

// Suite is the seven programs, or some of them, one replica each.
type Suite struct {
	stand    *Stand
	programs map[string]*Program
	release  []func() error
	shared   map[string]string
	students string // DSN
	enroll   string
}

// Compile compiles programs as they are deployed.
func (s *Stand) Compile(ctx context.Context, programs ...string) error {
	workspace, err := exec.CommandContext(ctx, "go", "env", "GOWORK").Output()
	if err != nil {
		return fmt.Errorf("go env GOWORK: %w", err)
	}
	script := filepath.Join(filepath.Dir(string(workspace)), "deploy", "compile")
	args := append([]string{s.bin()}, programs...)
	if out, err := exec.CommandContext(ctx, script, args...).CombinedOutput(); err != nil { //nolint:gosec // programs of this workspace
		return fmt.Errorf("deploy/compile: %w\n%s", err, out)
	}
	return nil
}

func (s *Stand) bin() string { return filepath.Join(s.Dir, "bin") }

// Binary is the path of what [Stand.Compile] has compiled.
func (s *Stand) Binary(name string) string { return filepath.Join(s.bin(), name) }

// StartSuite compiles and starts the services that are named, and returns when
// they are ready. smtp is the address of a mail server. settings are laid over
// those of the suite.
func (s *Stand) StartSuite(ctx context.Context, smtp string, settings map[string]string, names ...string) (*Suite, error) {
	if err := s.Compile(ctx, names...); err != nil {
		return nil, err
	}
	u := &Suite{stand: s, programs: map[string]*Program{}}
	if err := u.configure(ctx, smtp, names); err != nil {
		return nil, err
	}
	maps.Copy(u.shared, settings)
	for _, name := range names {
		if err := u.start(ctx, name); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// Program returns one of the suite's.
func (u *Suite) Program(name string) *Program { return u.programs[name] }

// URL is how a service is reached; gateways with the client's password.
func (u *Suite) URL(name string) string {
	if name == "ui" {
		return "http://" + u.programs[name].HTTP
	}
	return "http://" + Login + "@" + u.programs[name].HTTP
}

// StudentsDSN is for looking behind the service.
func (u *Suite) StudentsDSN() string { return u.students }

// configure makes the settings. Addresses are claimed first: programs refer to
// each other.
func (u *Suite) configure(ctx context.Context, smtp string, names []string) error {
	amqp, err := u.stand.AMQP(ctx)
	if err != nil {
		return err
	}
	redis, err := u.stand.Redis(ctx)
	if err != nil {
		return err
	}
	u.stand.suites++ // each has a database of its own
	redis = strings.TrimSuffix(redis, "/0") + "/" + strconv.Itoa(u.stand.suites)
	u.shared = map[string]string{
		"AMQP_URL": amqp, "REDIS_URL": redis,
		"SMTP_URL": "smtp://" + smtp + "?tls=none", "MAIL_FROM": "Registration <registration@example.ac.th>", "EMAIL_LANE": "all",
		"OTP_PEPPER": key(), "OTP_SEAL_KEY": key(), "OTP_PROOF_KEY": key(),
		"API_CLIENTS":  Login + ":otp+register+import",
		"SOURCE_LIMIT": "0", "TRUSTED_PROXIES": "127.0.0.0/8", "DRAIN_DELAY": "100ms",
		"GOMEMLIMIT": "200MiB", "GOGC": "400", "PPROF": "true",
	}
	for _, name := range []string{"ui", "otp-gateway", "register-gateway"} {
		if err := u.claim(ctx, "HTTP "+name); err != nil {
			return err
		}
	}
	u.shared["OTP_URL"] = "http://" + Login + "@" + u.shared["HTTP otp-gateway"]
	u.shared["REGISTER_URL"] = "http://" + Login + "@" + u.shared["HTTP register-gateway"]
	u.shared["PUBLIC_ORIGIN"] = "http://" + u.shared["HTTP ui"]
	for _, name := range names {
		if err := u.claim(ctx, "ADMIN "+name); err != nil {
			return err
		}
	}
	return u.schemas(ctx, names)
}

func (u *Suite) claim(ctx context.Context, as string) error {
	addr, release, err := servers.ClaimAddr(ctx)
	if err != nil {
		return err
	}
	u.release = append(u.release, release)
	u.shared[as] = addr
	return nil
}

// schemas makes an empty database for each of the two services that have one.
func (u *Suite) schemas(ctx context.Context, names []string) error {
	if !strings.Contains(strings.Join(names, " "), "student") {
		return nil
	}
	dsn, err := u.stand.MariaDB(ctx)
	if err != nil {
		return err
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close() // nothing is open on it
	u.students, u.enroll = dsn+"bench_student", dsn+"bench_enroll"
	for _, name := range []string{"bench_student", "bench_enroll"} {
		for _, statement := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name + " CHARACTER SET utf8mb4"} {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
	}
	return nil
}

func (u *Suite) start(ctx context.Context, name string) error {
	env := map[string]string{"ADMIN_ADDR": u.shared["ADMIN "+name], "MYSQL_DSN": u.students}
	if name == "enroll" {
		env["MYSQL_DSN"] = u.enroll
	}
	if addr, ok := u.shared["HTTP "+name]; ok {
		env["HTTP_ADDR"] = addr
	}
	for setting, value := range u.shared {
		if !strings.Contains(setting, " ") {
			env[setting] = value
		}
	}
	if name == "ui" {
		env["GOGC"] = "1600"
	} else {
		env["GOMAXPROCS"] = "1"
	}
	p, err := u.stand.Run(ctx, name, u.stand.Binary(name), env)
	if err != nil {
		return err
	}
	u.programs[name] = p
	return nil
}

// Release gives the addresses back, once the programs have ended.
func (u *Suite) Release() error {
	for _, release := range u.release {
		if err := release(); err != nil {
			return err
		}
	}
	return nil
}

// key is what OTP_PEPPER, OTP_SEAL_KEY and OTP_PROOF_KEY hold.
func key() string {
	bytes := make([]byte, 32)
	_, _ = rand.Read(bytes) // it never fails
	return base64.StdEncoding.EncodeToString(bytes)
}
