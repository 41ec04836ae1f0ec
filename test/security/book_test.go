package security_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver of the databases
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/testenv"
)

// book keeps what was seen. Its methods may be called from any goroutine.
type book struct {
	mu   sync.Mutex
	list []record
}

func (b *book) add(where, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, record{where, text})
}

func (b *book) all() []record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]record(nil), b.list...)
}

// traceBook is a collector of traces that keeps what it is sent as it came.
type traceBook struct {
	book
	url string
}

func collectTraces(t *testing.T) *traceBook {
	t.Helper()
	b := &traceBook{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if data, err := io.ReadAll(r.Body); err == nil {
			b.add("trace", string(data))
		}
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// brokerTap hears every message that is published to a virtual host, by whatever
// exchange, and every delivery.
type brokerTap struct {
	book
	conn *amqp.Connection
	done chan struct{}
}

// tapBroker switches on the broker's own trace and reads it.
func tapBroker(t *testing.T, s *system) *brokerTap {
	t.Helper()
	conn, err := amqp.Dial(s.AMQPURL)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.QueueBind(queue.Name, "#", "amq.rabbitmq.trace", false, nil); err != nil {
		t.Fatal(err)
	}
	deliveries, err := channel.ConsumeWithContext(t.Context(), queue.Name, "", true, true, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	tap := &brokerTap{conn: conn, done: make(chan struct{})}
	go func() {
		defer close(tap.done)
		for d := range deliveries {
			where := fmt.Sprintf("%s %v %s", d.RoutingKey, d.Headers["routing_keys"], methodOf(d.Headers))
			tap.add(where, fmt.Sprintf("%v %s", d.Headers, d.Body))
		}
	}()
	trace(t, s.AMQPURL)
	return tap
}

// methodOf reads in what the trace says of a message for which method it is, where the
// type tells.
func methodOf(traced amqp.Table) string {
	properties, _ := traced["properties"].(amqp.Table)
	messageType, _ := properties["type"].(string)
	method, _, _ := strings.Cut(messageType, ";")
	return method
}

// trace switches on the trace of the virtual host of an AMQP URL.
func trace(t *testing.T, amqpURL string) {
	t.Helper()
	broker, err := url.Parse(amqpURL)
	if err != nil {
		t.Fatal(err)
	}
	api, err := url.Parse(testenv.AMQPAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	vhost := api.JoinPath("api/vhosts", url.PathEscape(strings.TrimPrefix(broker.Path, "/")))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, vhost.String(), strings.NewReader(`{"tracing":true}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent && res.StatusCode != http.StatusCreated {
		t.Fatalf("switch on the trace: %s", res.Status)
	}
}

// stop reads what is left. The broker sends in order, so that all is there once
// the connection has been closed in order.
func (b *brokerTap) stop(t *testing.T) {
	t.Helper()
	last := -1
	eventually(t, "the tap has heard the last message", 20*time.Second, func() bool {
		now := len(b.all())
		same := now == last
		last = now
		return same
	})
	if err := b.conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-b.done
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// readRedis returns every key of the database with what it holds.
func readRedis(t *testing.T, client *redis.Client) []record {
	t.Helper()
	var all []record
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		all = append(all, record{"Redis key " + keys.Val(), readKey(t.Context(), client, keys.Val())})
	}
	if err := keys.Err(); err != nil || len(all) == 0 {
		t.Fatalf("read Redis: %d keys, %v", len(all), err)
	}
	return all
}

func readKey(ctx context.Context, client *redis.Client, key string) string {
	switch client.Type(ctx, key).Val() {
	case "hash":
		return fmt.Sprint(client.HGetAll(ctx, key).Val())
	case "list":
		return fmt.Sprint(client.LRange(ctx, key, 0, -1).Val())
	default:
		return client.Get(ctx, key).Val()
	}
}

// readSQL returns every row of every table of a schema.
func readSQL(t *testing.T, dsn string) []record {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all []record
	for _, table := range rowsOf(t, db, "SHOW TABLES") {
		for _, row := range rowsOf(t, db, "SELECT * FROM `"+table+"`") {
			all = append(all, record{"table " + table, row})
		}
	}
	return all
}

// rowsOf returns each row as its values in text.
func rowsOf(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values, places := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range values {
			texts = append(texts, v.String)
		}
		all = append(all, strings.Join(texts, "\t"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
