-- Tells how an address stands. Whether it is listed, and in which spelling, is
-- told of an address that has proved itself, and of no other.

local code, asked, failed, verified, listed = unpack(KEYS)
local at = clock()

local ref, expires_in, left = '', 0, 0
local c = redis.call('HMGET', code, 'expires', 'ref', 'left')
if c[1] and at < tonumber(c[1]) then
  expires_in, ref, left = tonumber(c[1]) - at, c[2], tonumber(c[3])
end
if until_free(failed, p.failures_per_day, p.day, at) > 0 then left = 0 end

local _, resend_after = refusal(asked, failed, at)
local mark = redis.call('HGET', verified, 'until')
local is_verified, mailbox = 0, nil
if mark and at < tonumber(mark) then
  is_verified, mailbox = 1, redis.call('HGET', listed, p.address)
end
return { ref, expires_in, resend_after, left, is_verified, mailbox or '' }
