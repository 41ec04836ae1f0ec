package email

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"matriq/pkg/redisconn"
)

// RedisLog is a [Log] in Redis: one key a mail, "email:log:ID", which holds
// "claim:TOKEN" for as long as the lease lasts, and then "sent:MILLISECONDS".
type RedisLog struct {
	client  redis.UniversalClient
	shared  *redisconn.Shared // for what each mail needs
	ttl     time.Duration
	release *redis.Script
}

const (
	claimed = "claim:"
	noted   = "sent:"
)

// releaseScript deletes a claim unless it has meanwhile become another's, or a
// note.
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

// NewRedisLog returns a log that forgets a sent mail after ttl.
func NewRedisLog(client redis.UniversalClient, ttl time.Duration) *RedisLog {
	return &RedisLog{client: client, shared: redisconn.NewShared(client), ttl: ttl, release: redis.NewScript(releaseScript)}
}

// Claim implements [Log].
func (r *RedisLog) Claim(ctx context.Context, id, token string, lease time.Duration) (time.Time, error) {
	err := r.shared.Do(ctx, redis.NewStatusCmd(ctx, "set", logKey(id), claimed+token, "px", lease.Milliseconds(), "nx"))
	if err == nil {
		return time.Time{}, nil
	}
	if !errors.Is(err, redis.Nil) {
		return time.Time{}, fmt.Errorf("claim a mail: %w", err)
	}
	held, err := r.client.Get(ctx, logKey(id)).Result()
	switch {
	case errors.Is(err, redis.Nil): // it lapsed between the two commands
		return time.Time{}, ErrClaimed
	case err != nil:
		return time.Time{}, fmt.Errorf("read a claim: %w", err)
	case held == claimed+token: // the client repeated a command whose answer was lost
		return time.Time{}, nil
	}
	return sentAt(held)
}

func sentAt(held string) (time.Time, error) {
	at, ok := strings.CutPrefix(held, noted)
	if !ok {
		return time.Time{}, ErrClaimed
	}
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read a note: %w", err)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// Note implements [Log].
func (r *RedisLog) Note(ctx context.Context, id string, at time.Time) error {
	note := noted + strconv.FormatInt(at.UnixMilli(), 10)
	if err := r.shared.Do(ctx, redis.NewStatusCmd(ctx, "set", logKey(id), note, "px", r.ttl.Milliseconds())); err != nil {
		return fmt.Errorf("note a mail: %w", err)
	}
	return nil
}

// Release implements [Log].
func (r *RedisLog) Release(ctx context.Context, id, token string) error {
	if err := r.release.Run(ctx, r.client, []string{logKey(id)}, claimed+token).Err(); err != nil {
		return fmt.Errorf("release a mail: %w", err)
	}
	return nil
}

// Ready implements [Log].
func (r *RedisLog) Ready(ctx context.Context) error { return r.client.Ping(ctx).Err() }

func logKey(id string) string { return "email:log:" + id }
