package email_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/redisconn"
	"matriq/pkg/testenv"
	"matriq/services/email"
)

// servers are Redis and the one in memory, which must be as good.
func servers(t *testing.T) map[string]redis.UniversalClient {
	t.Helper()
	clients := map[string]redis.UniversalClient{}
	for name, address := range map[string]string{
		"redis":     testenv.Redis(t),
		"miniredis": "redis://" + miniredis.RunT(t).Addr(),
	} {
		client, err := redisconn.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		clients[name] = client
	}
	return clients
}

func TestRedisLog(t *testing.T) {
	t.Parallel()
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, ctx := email.NewRedisLog(client, time.Hour), t.Context()
			claim := func(token string, wantErr error) time.Time {
				t.Helper()
				sent, err := log.Claim(ctx, "m", token, time.Minute)
				if !errors.Is(err, wantErr) {
					t.Errorf("Claim(%s) = %v, want %v", token, err, wantErr)
				}
				return sent
			}
			claim("a", nil)
			claim("b", email.ErrClaimed)
			claim("a", nil) // the same worker, after a lost answer
			if err := log.Release(ctx, "m", "b"); err != nil {
				t.Error(err)
			}
			claim("b", email.ErrClaimed) // it was not b's to release
			if err := log.Release(ctx, "m", "a"); err != nil {
				t.Error(err)
			}
			claim("b", nil)
			at := time.Date(2026, 5, 1, 6, 0, 0, 123e6, time.UTC)
			if err := log.Note(ctx, "m", at); err != nil {
				t.Error(err)
			}
			if sent := claim("c", nil); !sent.Equal(at) {
				t.Errorf("sent at %v, want %v", sent, at)
			}
			if err := log.Release(ctx, "m", "b"); err != nil {
				t.Error(err)
			}
			if sent := claim("c", nil); !sent.Equal(at) {
				t.Error("a release removed the note")
			}
			if sent, err := log.Claim(ctx, "n", "a", time.Minute); err != nil || !sent.IsZero() {
				t.Errorf("another mail: %v, %v", sent, err)
			}
			if err := log.Ready(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// A claim ends with its lease and a note with the log's memory.
func TestRedisLog_lapses(t *testing.T) {
	t.Parallel()
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, ctx := email.NewRedisLog(client, 720*time.Hour), t.Context()
			if _, err := log.Claim(ctx, "m", "a", 35*time.Second); err != nil {
				t.Fatal(err)
			}
			if ttl := client.PTTL(ctx, "email:log:m").Val(); ttl <= 30*time.Second || ttl > 35*time.Second {
				t.Errorf("a claim lives %v, want 35s", ttl)
			}
			if err := log.Note(ctx, "m", time.Now()); err != nil {
				t.Fatal(err)
			}
			if ttl := client.PTTL(ctx, "email:log:m").Val(); ttl <= 719*time.Hour || ttl > 720*time.Hour {
				t.Errorf("a note lives %v, want 720h", ttl)
			}
		})
	}
}

// However many workers race for a mail, one gets it.
func TestRedisLog_race(t *testing.T) {
	t.Parallel()
	for name, client := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := email.NewRedisLog(client, time.Hour)
			var claims sync.WaitGroup
			var won, lost atomic.Int64
			for i := range 50 {
				claims.Go(func() {
					_, err := log.Claim(t.Context(), "m", strconv.Itoa(i), time.Minute)
					switch {
					case err == nil:
						won.Add(1)
					case errors.Is(err, email.ErrClaimed):
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			claims.Wait()
			if won.Load() != 1 || lost.Load() != 49 {
				t.Errorf("%d won and %d lost, want 1 and 49", won.Load(), lost.Load())
			}
		})
	}
}

func TestRedisLog_down(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	client, err := redisconn.Open("redis://" + server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	log := email.NewRedisLog(client, time.Hour)
	server.SetError("LOADING")
	_, err = log.Claim(t.Context(), "m", "a", time.Minute)
	if err == nil || errors.Is(err, email.ErrClaimed) {
		t.Errorf("Claim = %v, want the failure of Redis", err)
	}
	if log.Note(t.Context(), "m", time.Now()) == nil || log.Release(t.Context(), "m", "a") == nil || log.Ready(t.Context()) == nil {
		t.Error("a failure of Redis went unnoticed")
	}
	server.SetError("")
	if err := server.Set("email:log:m", "sent:soon"); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Claim(t.Context(), "m", "a", time.Minute); err == nil || errors.Is(err, email.ErrClaimed) {
		t.Errorf("Claim of a broken note = %v, want an error", err)
	}
}
