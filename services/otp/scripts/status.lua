-- Tells how an address stands, and never whether it is listed.

local code, asked, failed, verified = unpack(KEYS)
local at = clock()

local ref, expires_in, left = '', 0, 0
local c = redis.call('HMGET', code, 'expires', 'ref', 'left')
if c[1] and at < tonumber(c[1]) then
  expires_in, ref, left = tonumber(c[1]) - at, c[2], tonumber(c[3])
end
if until_free(failed, p.failures_per_day, p.day, at) > 0 then left = 0 end

local _, resend_after = refusal(asked, failed, at)
local mark = redis.call('HGET', verified, 'until')
local is_verified = 0
if mark and at < tonumber(mark) then is_verified = 1 end
return { ref, expires_in, resend_after, left, is_verified }
