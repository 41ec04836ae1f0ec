-- What the scripts share. Each runs with this text before its own.
--
-- The clock is Redis's: replicas of the service need not agree on the time.
-- Times are milliseconds. Lists of times have the latest first. Expiry of keys
-- only cleans up; what counts is decided by the times themselves.

local p = cjson.decode(ARGV[1])

local function clock()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- whole writes a number in full: tostring would write 1e+15.
local function whole(n)
  return string.format('%.0f', n)
end

-- remember notes that something happened, and forgets all but the latest ones.
local function remember(key, at, keep, life)
  redis.call('LPUSH', key, whole(at))
  redis.call('LTRIM', key, 0, keep - 1)
  redis.call('PEXPIRE', key, whole(life))
end

-- until_free is how long a list forbids the next one, when so many may happen in
-- any window of time: until the oldest of the latest `limit` has left it.
local function until_free(key, limit, window, at)
  local oldest = redis.call('LINDEX', key, limit - 1)
  if not oldest then return 0 end
  return math.max(0, tonumber(oldest) + window - at)
end

-- until_resend is the pause after the latest code, which doubles with every
-- code of the last hour.
local function until_resend(asked, at)
  local times = redis.call('LRANGE', asked, 0, -1)
  local recent = 0
  for _, t in ipairs(times) do
    if tonumber(t) + p.hour > at then recent = recent + 1 end
  end
  if recent == 0 then return 0 end
  local pause = math.min(p.resend_after * 2 ^ (recent - 1), p.hour)
  return math.max(0, tonumber(times[1]) + pause - at)
end

-- refusal names the limit that forbids an address the next code for longest, and
-- for how long; '' and 0 when none does.
local function refusal(asked, failed, at)
  local reason, longest = '', 0
  local function consider(name, ms)
    if ms > longest then reason, longest = name, ms end
  end
  consider('address_locked', until_free(failed, p.failures_per_day, p.day, at))
  consider('address_limit', until_free(asked, p.per_day, p.day, at))
  consider('address_limit', until_free(asked, p.per_hour, p.hour, at))
  consider('resend_too_soon', until_resend(asked, at))
  return reason, longest
end
