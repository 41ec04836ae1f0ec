package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // the databases

	"matriq/pkg/api/restapi"
	"matriq/pkg/mailsink"
	"matriq/pkg/testenv/servers"
	"matriq/test/harness"
	"matriq/test/load/counters"
)

const login = harness.ClientName + ":" + harness.ClientPassword

// world is the seven services on servers of their own, with a mail server in this
// process.
type world struct {
	dir                    string
	folder                 *servers.Folder
	rabbit, redis, mariadb *servers.Instance
	mails                  *mailsink.Sink
	shared                 map[string]string
	release                []func() error
	replicas               map[string][]*harness.Process
	stopMails              context.CancelFunc
}

// newWorld starts the servers and compiles the services.
func newWorld(ctx context.Context) (w *world, err error) {
	if err := servers.Installed(); err != nil {
		return nil, err
	}
	w = &world{replicas: map[string][]*harness.Process{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.folder, err = servers.NewFolder(); err != nil {
		return w, err
	}
	w.dir = w.folder.Path
	fmt.Fprintln(os.Stderr, "starting RabbitMQ, Redis and MariaDB, compiling the services")
	if err = w.startServers(ctx); err != nil {
		return w, err
	}
	if err = w.compile(ctx); err != nil {
		return w, err
	}
	smtp, err := w.startMails(ctx)
	if err != nil {
		return w, err
	}
	return w, w.configure(ctx, smtp)
}

// startServers has MariaDB and Redis write to the disk as the deployed stack's do.
func (w *world) startServers(ctx context.Context) error {
	for _, s := range []struct {
		into    **servers.Instance
		prepare func(context.Context, *servers.Folder) (*servers.Instance, error)
		args    []string
	}{
		{&w.rabbit, servers.RabbitMQ, nil},
		{&w.redis, servers.Redis, []string{"--appendfsync", "everysec"}},
		{&w.mariadb, servers.MariaDB, []string{"--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--innodb-buffer-pool-size=256M"}},
	} {
		instance, err := s.prepare(ctx, w.folder)
		if err != nil {
			return err
		}
		*s.into = instance
		instance.Add(s.args...)
		if err := instance.Start(ctx); err != nil {
			return err
		}
	}
	db, err := sql.Open("mysql", w.mariadb.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, name := range []string{"student", "enroll"} {
		if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4"); err != nil {
			return fmt.Errorf("make the schema of %s: %w", name, err)
		}
	}
	return nil
}

func (w *world) compile(ctx context.Context) error {
	args := []string{"build", "-o", w.dir + "/bin/"}
	for _, service := range harness.Services {
		args = append(args, "matriq/services/"+service+"/cmd/"+service)
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil { //nolint:gosec // G204: packages of this workspace
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func (w *world) startMails(ctx context.Context) (addr string, err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	w.mails = mailsink.New(mailsink.Options{Keep: 2000})
	ctx, w.stopMails = context.WithCancel(context.WithoutCancel(ctx))
	go func() { _ = w.mails.ServeSMTP(ctx, l) }() // what it cannot take, nobody registers by
	return l.Addr().String(), nil
}

func (w *world) configure(ctx context.Context, smtp string) error {
	w.shared = map[string]string{
		"AMQP_URL": w.rabbit.URL, "REDIS_URL": w.redis.URL,
		"SMTP_URL": "smtp://" + smtp + "?tls=none", "MAIL_FROM": "Registration <registration@example.ac.th>", "EMAIL_LANE": "all",
		"OTP_PEPPER": harness.RandomKey(), "OTP_SEAL_KEY": harness.RandomKey(), "OTP_PROOF_KEY": harness.RandomKey(),
		"API_CLIENTS": login + ":otp+register+import", "SOURCE_LIMIT": "0", "TRUSTED_PROXIES": "127.0.0.0/8",
		"DRAIN_DELAY": "100ms", "LOG_LEVEL": "warn", "PUBLIC_ORIGIN": "http://localhost:8080",
	}
	for name, setting := range map[string]string{"otp-gateway": "OTP_URL", "register-gateway": "REGISTER_URL"} {
		addr, err := w.claim(ctx)
		if err != nil {
			return err
		}
		w.shared[name], w.shared[setting] = addr, "http://"+login+"@"+addr
	}
	addr, err := w.claim(ctx)
	w.shared["ui"], w.shared["PUBLIC_ORIGIN"] = addr, "http://"+addr
	return err
}

func (w *world) claim(ctx context.Context) (string, error) {
	addr, release, err := servers.ClaimAddr(ctx)
	if err == nil {
		w.release = append(w.release, release)
	}
	return addr, err
}

// launch starts one more replica of a service and waits until it is ready.
func (w *world) launch(ctx context.Context, service string) (*harness.Process, error) {
	env := maps.Clone(w.shared)
	env["MYSQL_DSN"] = w.mariadb.URL + service
	var err error
	if env["ADMIN_ADDR"], err = w.claim(ctx); err != nil {
		return nil, err
	}
	if addr, serves := w.shared[service]; serves {
		env["HTTP_ADDR"] = addr
		if len(w.replicas[service]) > 0 {
			if env["HTTP_ADDR"], err = w.claim(ctx); err != nil {
				return nil, err
			}
		}
	}
	name := fmt.Sprintf("%s-%d", service, len(w.replicas[service])+1)
	p, err := harness.Launch(name, filepath.Join(w.dir, "bin", service), filepath.Join(w.dir, name+".log"), env)
	if err != nil {
		return nil, err
	}
	w.replicas[service] = append(w.replicas[service], p)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = harness.Poll(ctx, func() bool {
		ready, _ := p.Ready(ctx)
		return ready
	})
	if err != nil {
		return nil, fmt.Errorf("%s is not ready: %w\n%s", name, err, p.Log())
	}
	return p, nil
}

// launchAll starts one replica of each service.
func (w *world) launchAll(ctx context.Context) error {
	for _, service := range harness.Services {
		if _, err := w.launch(ctx, service); err != nil {
			return err
		}
	}
	return nil
}

// list makes n addresses eligible and returns them.
func (w *world) list(ctx context.Context, name string, n int) ([]string, error) {
	var emails []string
	for i := range n {
		emails = append(emails, fmt.Sprintf("%s%06d@example.ac.th", name, i))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.shared["OTP_URL"]+restapi.PathImport, strings.NewReader("email\n"+strings.Join(emails, "\n")+"\n"))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var body bytes.Buffer
	_, _ = body.ReadFrom(res.Body) // what is missing is seen below
	var report restapi.ImportReply
	if err := json.Unmarshal(body.Bytes(), &report); err != nil || report.Added != n {
		return nil, fmt.Errorf("list addresses: %s: %s", res.Status, body.Bytes())
	}
	return emails, nil
}

// Code implements load.Codes without a request.
func (w *world) Code(_ context.Context, address, ref string) (string, error) {
	for _, m := range w.mails.Messages(address) {
		if code := harness.FindCode(m); code != "" && strings.Contains(m.Text, ref) {
			return code, nil
		}
	}
	return "", nil
}

// read reads all counters of the world.
func (w *world) read(ctx context.Context) (counters.Counters, error) {
	c := counters.Counters{"mails": float64(w.mails.Count())}
	for service, replicas := range w.replicas {
		for _, p := range replicas {
			if err := c.AddMetrics(ctx, "http://"+p.Admin+"/metrics"); err != nil {
				return nil, err
			}
			if err := c.AddCPU(service, p.PID()); err != nil {
				return nil, err
			}
		}
	}
	for name, pids := range map[string][]int{"rabbitmq": w.rabbit.PIDs(), "redis": w.redis.PIDs(), "mariadb": w.mariadb.PIDs()} {
		if err := c.AddCPU(name, pids...); err != nil {
			return nil, err
		}
	}
	if err := c.AddRedis(ctx, w.redis.URL); err != nil {
		return nil, err
	}
	return c, c.AddMariaDB(ctx, w.mariadb.URL)
}

func (w *world) close() error {
	for _, replicas := range w.replicas {
		for _, p := range replicas {
			p.Kill()
		}
	}
	if w.stopMails != nil {
		w.stopMails()
	}
	var errs []error
	for _, instance := range []*servers.Instance{w.rabbit, w.redis, w.mariadb} {
		if instance != nil {
			errs = append(errs, instance.Close())
		}
	}
	for _, release := range w.release {
		errs = append(errs, release())
	}
	if w.folder != nil {
		errs = append(errs, w.folder.Remove())
	}
	return errors.Join(errs...)
}
