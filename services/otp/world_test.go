package otp_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"matriq/pkg/keyring"
	"matriq/pkg/redisconn"
	"matriq/pkg/service"
	"matriq/pkg/testenv"
	"matriq/services/otp"
)

// world is a store with a clock that the test moves. Each has an address and a
// network of its own, so that tests can share a server.
type world struct {
	client redis.UniversalClient
	who    string
	source string
	// later makes the time d later for what is kept under the names, at least.
	later func(t *testing.T, d time.Duration, names ...string)
}

// backends are the servers that the store must run on alike.
func backends() map[string]func(*testing.T) world {
	return map[string]func(*testing.T) world{"miniredis": inMemory, "redis": onServer}
}

// start is when the clock of a world in memory begins.
func start() time.Time { return time.Date(2026, 5, 1, 6, 0, 0, 0, time.UTC) }

func inMemory(t *testing.T) world {
	t.Helper()
	w, _ := withServer(t)
	return w
}

// withServer returns a world in memory, whose clock stands still until it is
// moved, and its server.
func withServer(t *testing.T) (world, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.RunT(t)
	now := start()
	server.SetTime(now)
	server.ClockTTL(true)
	w := world{client: open(t, "redis://"+server.Addr()), who: address(), source: network()}
	w.later = func(_ *testing.T, d time.Duration, _ ...string) {
		now = now.Add(d)
		server.SetTime(now)
	}
	return w, server
}

func onServer(t *testing.T) world {
	t.Helper()
	w := world{client: open(t, testenv.Redis(t)), who: address(), source: network()}
	w.later = func(t *testing.T, d time.Duration, names ...string) {
		t.Helper()
		for _, name := range names {
			age(t, w.client, d, name)
		}
	}
	return w
}

// ageScript moves everything that is kept under a name into the past: on a real
// server the clock cannot be moved.
var ageScript = redis.NewScript(`
local d = tonumber(ARGV[2])
local function earlier(n) return string.format('%.0f', tonumber(n) - d) end
for _, key in ipairs(redis.call('KEYS', 'otp:*:' .. ARGV[1])) do
  local left = redis.call('PTTL', key)
  if left <= d then
    redis.call('DEL', key)
  elseif redis.call('TYPE', key).ok == 'list' then
    for i, t in ipairs(redis.call('LRANGE', key, 0, -1)) do redis.call('LSET', key, i - 1, earlier(t)) end
    redis.call('PEXPIRE', key, left - d)
  else
    for _, field in ipairs({ 'issued', 'expires', 'until' }) do
      local t = redis.call('HGET', key, field)
      if t then redis.call('HSET', key, field, earlier(t)) end
    end
    redis.call('PEXPIRE', key, left - d)
  end
end
return 0`)

func age(t *testing.T, client redis.UniversalClient, d time.Duration, name string) {
	t.Helper()
	if err := ageScript.Run(t.Context(), client, nil, name, d.Milliseconds()).Err(); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	client, err := redisconn.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Errorf("close the client: %v", err)
		}
	})
	return client
}

func address() string { return strings.ToLower(rand.Text()) + "@ku.ac.th" }

func network() string { return strings.ToLower(rand.Text()) + "/32" }

// rules are the defaults, with fresh keys.
func rules(t *testing.T) otp.Rules {
	t.Helper()
	cfg, err := otp.ReadConfig(environment(nil))
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Rules
}

// environment has all that is required, and vars; an empty value takes a
// setting away.
func environment(vars map[string]string) service.Env {
	all := map[string]string{
		"AMQP_URL": "amqp://127.0.0.1", "REDIS_URL": "redis://127.0.0.1",
		"OTP_PEPPER": secret(), "OTP_SEAL_KEY": secret(), "OTP_PROOF_KEY": secret(),
	}
	maps.Copy(all, vars)
	return service.NewEnv("otp", all, slog.New(slog.DiscardHandler))
}

func secret() string {
	b := make([]byte, keyring.Size)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

func pepper(t *testing.T, setting string) otp.Pepper {
	t.Helper()
	p, err := otp.ParsePepper(setting)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// desk is a store with a pepper, as a service would use it.
type desk struct {
	world
	*otp.Store
	pepper otp.Pepper
}

func newDesk(t *testing.T, w world, r otp.Rules) desk {
	t.Helper()
	return desk{world: w, Store: otp.NewStore(w.client, r), pepper: pepper(t, r.Pepper)}
}

const (
	right = "042137"
	wrong = "999999"
)

func (d desk) ask(ctx context.Context, code string) (otp.Issued, error) {
	return d.Issue(ctx, otp.Ask{Address: d.who, Digest: d.pepper.Digest(d.who, code), Refs: [2]string{"BCD", "FGH"}})
}

func (d desk) guess(ctx context.Context, code string) (bool, error) {
	verdict, err := d.Spend(ctx, otp.Guess{Address: d.who, Digests: d.pepper.Digests(d.who, code)})
	return verdict.Right, err
}

func (d desk) list(t *testing.T) {
	t.Helper()
	t.Helper()
	if _, err := d.List(t.Context(), []otp.Listing{{Address: d.who, Mailbox: strings.ToUpper(d.who)}}); err != nil {
		t.Fatal(err)
	}
}

func (d desk) move(t *testing.T, by time.Duration) {
	t.Helper()
	d.later(t, by, d.who, d.source)
}

func (d desk) mustAsk(t *testing.T, code string) otp.Issued {
	t.Helper()
	issued, err := d.ask(t.Context(), code)
	if err != nil {
		t.Fatalf("ask: %v", err)
	}
	return issued
}

func (d desk) mustGuess(t *testing.T, code string, want bool) {
	t.Helper()
	got, err := d.guess(t.Context(), code)
	if err != nil || got != want {
		t.Fatalf("guess %s = %v, %v, want %v", code, got, err, want)
	}
}

func (d desk) mustRefuse(t *testing.T, reason string) time.Duration {
	t.Helper()
	_, err := d.ask(t.Context(), right)
	refusal, ok := errors.AsType[*otp.RefusalError](err)
	if !ok || refusal.Reason != reason {
		t.Fatalf("ask: %v, want %s", err, reason)
	}
	return refusal.Wait
}

func (d desk) standing(t *testing.T) otp.Standing {
	t.Helper()
	s, err := d.Status(t.Context(), d.who)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
