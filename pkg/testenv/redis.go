package testenv

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
)

// counter is the key, in database 0, that deals out the others: tests of several
// processes share the server.
const counter = "testenv:databases"

// Redis returns the URL of an empty database that the test has for itself. It is
// flushed when the test ends.
func Redis(tb testing.TB) string {
	tb.Helper()
	wanted(tb)
	address := os.Getenv(VarRedis)
	if address == "" {
		instance, err := sharedRedis()
		if err != nil {
			unavailable(tb, err)
		}
		address = instance.URL
	}
	own, err := dealDatabase(tb.Context(), address)
	if err != nil {
		tb.Fatalf("deal out a Redis database: %v", err)
	}
	if err := flush(tb.Context(), own); err != nil {
		tb.Fatalf("flush %v", err)
	}
	tb.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		if err := flush(ctx, own); err != nil {
			tb.Errorf("flush: %v", err)
		}
	})
	return own
}

// dealDatabase returns address with the next number, around the server's limit.
func dealDatabase(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	u.Path = "/0"
	options, err := redis.ParseURL(u.String())
	if err != nil {
		return "", err
	}
	client := redis.NewClient(options)
	defer client.Close() // the answers are in
	dealt, err := client.Incr(ctx, counter).Result()
	if err != nil {
		return "", err
	}
	limit, err := client.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return "", err
	}
	all, err := strconv.ParseInt(limit["databases"], 10, 64)
	if err != nil || all < 2 {
		return "", fmt.Errorf("the server has %q databases, too few to share", limit["databases"])
	}
	u.Path = "/" + strconv.FormatInt(1+(dealt-1)%(all-1), 10)
	return u.String(), nil
}

func flush(ctx context.Context, address string) error {
	options, err := redis.ParseURL(address)
	if err != nil {
		return err
	}
	client := redis.NewClient(options)
	defer client.Close() // the answer is in
	return client.FlushDB(ctx).Err()
}
