package testenv_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/testenv"
)

// Two tests meet neither each other's queue, table nor key.
func TestCorners(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "another"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel := openChannel(t, testenv.AMQP(t))
			if _, err := channel.QueueDeclare("q", true, false, false, false, amqp.Table{"x-who": name}); err != nil {
				t.Errorf("declare a queue: %v", err)
			}
			db := openDB(t, testenv.MariaDB(t))
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (id INT PRIMARY KEY)"); err != nil {
				t.Errorf("create a table: %v", err)
			}
			client := openRedis(t, testenv.Redis(t))
			if set, err := client.SetNX(t.Context(), "k", name, 0).Result(); err != nil || !set {
				t.Errorf("take a key: %v, %v", set, err)
			}
		})
	}
}

func TestAMQPMetrics(t *testing.T) {
	t.Parallel()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+testenv.AMQPMetrics(t)+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(body), "\nrabbitmq_connections ") {
		t.Errorf("metrics = %.200s, %v; want the broker's", body, err)
	}
}

// What a server has confirmed is there again after it was killed, at the same
// address.
func TestServer_KillAndStart(t *testing.T) {
	t.Parallel()
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		server := testenv.Broker(t)
		declare(t, server.URL())
		publish(t, server.URL())
		server.Settle()
		server.Kill()
		if conn, err := amqp.Dial(server.URL()); err == nil {
			t.Errorf("connected to a killed broker: %v", conn.Close())
		}
		server.Start()
		if _, ok, err := openChannel(t, server.URL()).Get("q", true); err != nil || !ok {
			t.Errorf("get = %v, %v; want the confirmed message", ok, err)
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		server := testenv.MariaDBServer(t)
		db := openDB(t, server.URL())
		for _, statement := range []string{"CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t (id) VALUES (1)"} {
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		server.Kill()
		server.Start()
		var rows int
		if err := openDB(t, server.URL()).QueryRowContext(t.Context(), "SELECT COUNT(id) FROM t").Scan(&rows); err != nil || rows != 1 {
			t.Errorf("rows = %d, %v; want the committed one", rows, err)
		}
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		server := testenv.RedisServer(t)
		if err := openRedis(t, server.URL()).Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		server.Kill()
		server.Start()
		if got, err := openRedis(t, server.URL()).Get(t.Context(), "k").Result(); err != nil || got != "v" {
			t.Errorf("get = %q, %v; want v", got, err)
		}
		server.Restart()
	})
}

// A frozen server keeps its connections and answers after it was resumed.
func TestServer_Pause(t *testing.T) {
	t.Parallel()
	server := testenv.RedisServer(t)
	client := openRedis(t, server.URL())
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Error("a frozen server answered")
	}
	server.Resume()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("ping after resume: %v", err)
	}
}

func TestChromium(t *testing.T) {
	t.Parallel()
	if path := testenv.Chromium(t); path == "" {
		t.Error("no path")
	}
}

func openChannel(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseDeadline(time.Now().Add(time.Second)) })
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return channel
}

func declare(t *testing.T, url string) {
	t.Helper()
	if _, err := openChannel(t, url).QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
}

func publish(t *testing.T, url string) {
	t.Helper()
	channel := openChannel(t, url)
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirmation, err := channel.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", true, false,
		amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("m")})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := confirmation.WaitContext(t.Context()); err != nil || !ok {
		t.Fatalf("confirm = %v, %v", ok, err)
	}
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

func openRedis(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.MaxRetries = -1
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
