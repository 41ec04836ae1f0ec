package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// RedisDatabases is how many databases an instance has, so that each test of a
// run may have its own.
const RedisDatabases = 10000

// Redis prepares a server that keeps a log of its writes: what it has answered
// survives a kill.
func Redis(ctx context.Context, f *Folder) (*Instance, error) {
	server, err := findRedis()
	if err != nil {
		return nil, err
	}
	dir, err := f.sub("redis")
	if err != nil {
		return nil, err
	}
	ports, err := claimPorts(ctx, 1)
	if err != nil {
		return nil, err
	}
	port, password := ports.numbers[0], rand.Text()
	url := fmt.Sprintf("redis://:%s@%s/0", password, loopback(port))
	config := filepath.Join(dir, "redis.conf")
	if err := os.WriteFile(config, []byte(redisConfig(port, password)), 0o600); err != nil {
		return nil, err
	}
	return &Instance{
		ports: ports,
		Name:  "redis",
		URL:   url,
		command: command{
			path: server, args: []string{config}, dir: dir, log: filepath.Join(dir, "redis.log"),
			env: []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"},
		},
		probe: func(ctx context.Context) error { return probeRedis(ctx, port, url) },
	}, nil
}

func findRedis() (string, error) { return find("redis-server", "redis-server") }

func redisConfig(port int, password string) string {
	return "bind 127.0.0.1\n" +
		"port " + strconv.Itoa(port) + "\n" +
		"requirepass " + password + "\n" +
		"databases " + strconv.Itoa(RedisDatabases) + "\n" +
		"save \"\"\n" +
		"appendonly yes\n" +
		"appendfsync no\n"
}

// probeRedis tries the port first: the client writes to stderr when nobody is
// there.
func probeRedis(ctx context.Context, port int, url string) error {
	if !served(ctx, port) {
		return errors.New("nobody listens")
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	options.MaxRetries, options.DialerRetries = -1, 1
	client := redis.NewClient(options)
	defer client.Close() // it was only asked whether it is there
	return client.Ping(ctx).Err()
}
