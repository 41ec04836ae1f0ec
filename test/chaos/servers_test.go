package chaos_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver of the databases
	"golang.org/x/sync/errgroup"

	"matriq/pkg/testenv"
	"matriq/pkg/testenv/servers"
)

// realServers are a RabbitMQ, a MariaDB with two schemas and a Redis, with data
// that survives a kill.
type realServers struct {
	broker, maria, redis *servers.Instance
}

func startServers(t *testing.T) realServers {
	t.Helper()
	testenv.Installed(t)
	folder, err := servers.NewFolder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := folder.Remove(); err != nil {
			t.Error(err)
		}
	})
	s := realServers{
		broker: prepare(t, folder, servers.RabbitMQ),
		maria:  prepare(t, folder, servers.MariaDB),
		redis:  prepare(t, folder, servers.Redis),
	}
	var starting errgroup.Group // side by side: a broker takes seconds
	for _, i := range []*servers.Instance{s.broker, s.maria, s.redis} {
		starting.Go(func() error { return i.Start(t.Context()) })
	}
	if err := starting.Wait(); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, s.maria.URL)
	for _, schema := range []string{"student", "enroll"} {
		if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+schema+" CHARACTER SET utf8mb4"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func prepare(t *testing.T, f *servers.Folder, prepare func(context.Context, *servers.Folder) (*servers.Instance, error)) *servers.Instance {
	t.Helper()
	i, err := prepare(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func (s realServers) studentDSN() string { return s.maria.URL + "student" }
func (s realServers) enrollDSN() string  { return s.maria.URL + "enroll" }

// settle has the broker write down what was declared: for about two seconds it
// has that in memory alone, and a killed broker forgets the queues with all that
// was confirmed.
func (s realServers) settle(t *testing.T) {
	t.Helper()
	said, err := s.broker.Control(t.Context(), "eval", "mnesia:sync_log().")
	if err != nil || said != "ok" {
		t.Fatalf("flush the broker's definitions: %v %s", err, said)
	}
}

// checkParked fails the test for each message that was given up.
func (s realServers) checkParked(t *testing.T) {
	t.Helper()
	said, err := s.broker.Control(t.Context(), "list_queues", "--no-table-headers", "name", "messages")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, parking) {
		t.Fatalf("no queue is for parking:\n%s", said)
	}
	for line := range strings.Lines(said) {
		name, messages, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if strings.HasSuffix(name, parking) && messages != "0" {
			t.Errorf("%s messages are in %s, want none", messages, name)
		}
	}
}

const parking = ".parking"

// Kinds of servers.
const (
	kindBroker = "broker"
	kindMaria  = "mariadb"
	kindRedis  = "redis"
)

// brokerRest is how long a broker that came back is left in peace: until its
// clients are back as well.
const brokerRest = 8 * time.Second

// victims are the servers as what is killed.
func (s realServers) victims() []*victim {
	return []*victim{
		serverVictim(kindBroker, s.broker, brokerRest),
		serverVictim(kindMaria, s.maria, 2*time.Second),
		serverVictim(kindRedis, s.redis, time.Second),
	}
}

func serverVictim(kind string, i *servers.Instance, least time.Duration) *victim {
	return &victim{kind: kind, name: kind, least: least, start: i.Start, kill: i.Kill, since: time.Now()}
}

func openDB(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
