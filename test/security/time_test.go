package security_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// pass lets time pass for an address: it moves all that Redis holds of it into
// the past. The clock itself is Redis's, which nobody can turn; the scripts
// decide by the times that they find, and not by the expiry of keys, so that both
// come to the same.
func (s *system) pass(t *testing.T, address string, d time.Duration) {
	t.Helper()
	move := redis.NewScript(`
		local function earlier(ms) return string.format('%.0f', tonumber(ms) - ARGV[1]) end
		for _, key in ipairs({ KEYS[1], KEYS[2] }) do
			local times = redis.call('LRANGE', key, 0, -1)
			for i, at in ipairs(times) do redis.call('LSET', key, i - 1, earlier(at)) end
		end
		for _, key in ipairs({ KEYS[3], KEYS[4] }) do
			for _, field in ipairs({ 'issued', 'expires', 'until' }) do
				local at = redis.call('HGET', key, field)
				if at then redis.call('HSET', key, field, earlier(at)) end
			end
		end`)
	keys := []string{"otp:asked:" + address, "otp:failed:" + address, "otp:code:" + address, "otp:verified:" + address}
	if err := move.Run(t.Context(), s.redis, keys, d.Milliseconds()).Err(); err != nil && err != redis.Nil { //nolint:errorlint // documented to be this value
		t.Fatal(err)
	}
}

// expireAt sets when the code of an address dies, by Redis's clock.
func (s *system) expireAt(t *testing.T, address string, at time.Time) {
	t.Helper()
	if err := s.redis.HSet(t.Context(), "otp:code:"+address, "expires", at.UnixMilli()).Err(); err != nil {
		t.Fatal(err)
	}
}

// clock is Redis's.
func (s *system) clock(t *testing.T) time.Time {
	t.Helper()
	now, err := s.redis.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// counter adds up a metric over the replicas of a service: all its series whose
// labels hold every one of labels.
func (s *system) counter(t *testing.T, service, name string, labels ...string) float64 {
	t.Helper()
	sum := 0.0
	for _, p := range s.Replicas(service) {
		for line := range strings.Lines(fetch(t, "http://"+p.Admin+"/metrics")) {
			sum += valueOf(t, line, name, labels)
		}
	}
	return sum
}

// valueOf is the value of one line of metrics, 0 when it is another metric's.
func valueOf(t *testing.T, line, name string, labels []string) float64 {
	t.Helper()
	series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
	if rest, named := strings.CutPrefix(series, name); !ok || !named || rest != "" && rest[0] != '{' {
		return 0
	}
	for _, label := range labels {
		if !strings.Contains(series, label) {
			return 0
		}
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(n) {
		t.Fatalf("metric %q", line)
	}
	return n
}

const day = 24 * time.Hour

// pauseAfter is how long the code of a round, the first of which is 0, forbids
// the next: a minute, and twice as long with each code of the last hour.
func pauseAfter(round int) time.Duration { return time.Minute << round }
