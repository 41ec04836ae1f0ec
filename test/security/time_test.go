package security_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const day = 24 * time.Hour

// pauseAfter is how long the code of a round, the first of which is 0, forbids
// the next: a minute, and twice as long with each code of the last hour.
func pauseAfter(round int) time.Duration { return time.Minute << round }

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
		end
		return 1`)
	keys := []string{"otp:asked:" + address, "otp:failed:" + address, "otp:code:" + address, "otp:verified:" + address}
	if err := move.Run(t.Context(), s.redis, keys, d.Milliseconds()).Err(); err != nil {
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
