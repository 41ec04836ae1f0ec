// Package counters reads what a registration counts while people register: the
// messages of each program, commands at Redis, statements at MariaDB, and the
// processor time of processes.
package counters

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	_ "github.com/go-sql-driver/mysql" // for AddMariaDB
	"github.com/redis/go-redis/v9"
)

// Counters are numbers that only grow, by name: "call otp.create", "cast
// email.send", "event otp.retired", "redis evalsha", "sql Com_commit", and "cpu_ms
// redis" for processor time in milliseconds.
type Counters map[string]float64

// Since is how much each has grown.
func (c Counters) Since(before Counters) Counters {
	grown := Counters{}
	for name, value := range c {
		if value != before[name] {
			grown[name] = value - before[name]
		}
	}
	return grown
}

// AddMetrics adds what a program counts of its messages and of what they did, from its /metrics.
func (c Counters) AddMetrics(ctx context.Context, url string) error {
	body, err := get(ctx, url)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	for line := range strings.Lines(body) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		kind, labels, found := strings.Cut(name, "{")
		if !ok || !found {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue // no number that is counted here
		}
		switch kind {
		case "matriq_rpc_call_seconds_count":
			c["call "+label(labels, "method")] += n
		case "matriq_rpc_casts_total":
			c[label(labels, "kind")+" "+label(labels, "method")] += n
		case "matriq_outbox_done_seconds_count":
			c["done "+label(labels, "target")] += n
		}
	}
	return nil
}

// label is the value of one of a metric's labels.
func label(labels, name string) string {
	_, rest, _ := strings.Cut(labels, name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// AddCPU adds user and system time of processes, in hundredths of a second.
func (c Counters) AddCPU(name string, pids ...int) error {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		for _, field := range fields[11:13] { // utime and stime, see proc_pid_stat(5)
			ticks, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return err
			}
			c["cpu_ms "+name] += ticks * 10
		}
	}
	return nil
}

// AddRedis adds the commands of the server at a URL, those within scripts too.
func (c Counters) AddRedis(ctx context.Context, url string) error {
	opts, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	client := redis.NewClient(opts)
	defer client.Close()
	info, err := client.Info(ctx, "commandstats").Result()
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(strings.NewReader(info))
	for lines.Scan() {
		name, stats, ok := strings.Cut(lines.Text(), ":calls=")
		if !ok {
			continue
		}
		calls, _, _ := strings.Cut(stats, ",")
		n, err := strconv.ParseFloat(calls, 64)
		if err != nil {
			return err
		}
		c["redis "+strings.TrimPrefix(name, "cmdstat_")] = n
	}
	return lines.Err()
}

// AddMariaDB adds statements and commits of the whole server that a DSN leads to.
func (c Counters) AddMariaDB(ctx context.Context, dsn string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN "+
		"('Com_commit','Com_rollback','Com_insert','Com_update','Com_delete','Com_select','Questions','Innodb_os_log_fsyncs')")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value float64
		if err := rows.Scan(&name, &value); err != nil {
			return err
		}
		c["sql "+name] = value
	}
	return rows.Err()
}
