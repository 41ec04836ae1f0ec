-- Decides a guess: 1 when it is right, which consumes the code and marks the
-- address verified, else 0.
--
-- Digests are compared with ==. They are HMACs under a secret key, so nobody
-- can choose a guess by how its digest begins, and how long a comparison takes
-- tells nothing that helps with the next.

local code, failed, verified = unpack(KEYS)
local at = clock()

-- The same request once more, because its answer was lost: tell it again.
if redis.call('HGET', verified, 'by') == p.once then return 1 end

local c = redis.call('HMGET', code, 'expires', 'left', 'kind', 'kid', 'digest', 'guess')
local expires, left, kind, kid, digest, guess = unpack(c)
if not expires or at >= tonumber(expires) then return 0 end
if guess == p.once then return 0 end
if tonumber(left) < 1 then return 0 end
if until_free(failed, p.failures_per_day, p.day, at) > 0 then return 0 end

-- Counted before it is compared.
redis.call('HINCRBY', code, 'left', -1)
redis.call('HSET', code, 'guess', p.once)

local right = p.digests[kid] == digest
if right and kind == 'code' then
  redis.call('DEL', code)
  redis.call('HSET', verified, 'until', whole(at + p.verified_for), 'by', p.once)
  redis.call('PEXPIREAT', verified, whole(at + p.verified_for))
  return 1
end
remember(failed, at, p.failures_per_day, p.day)
return 0
