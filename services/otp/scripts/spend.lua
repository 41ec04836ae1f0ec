-- Decides a guess: 'right' when it is right, which consumes the code and marks
-- the address verified, with until when it is and where its mail goes; 'wrong'; or
-- the limit that forbids it and for how long.
--
-- Digests are compared with ==. They are HMACs under a secret key, so nobody
-- can choose a guess by how its digest begins, and how long a comparison takes
-- tells nothing that helps with the next.

local source, code, failed, verified, listed = unpack(KEYS)
local at = clock()

local function judge()
  local c = redis.call('HMGET', code, 'expires', 'left', 'kind', 'kid', 'digest', 'guess')
  local expires, left, kind, kid, digest, guess = unpack(c)
  if not expires or at >= tonumber(expires) then return 'wrong' end
  if guess == p.once then return 'wrong again' end
  if tonumber(left) < 1 then return 'wrong' end
  if until_free(failed, p.failures_per_day, p.day, at) > 0 then return 'wrong' end

  -- Counted before it is compared.
  redis.call('HINCRBY', code, 'left', -1)
  redis.call('HSET', code, 'guess', p.once)

  if p.digests[kid] == digest and kind == 'code' then
    redis.call('DEL', code)
    redis.call('HSET', verified, 'until', whole(at + p.verified_for), 'by', p.once)
    redis.call('PEXPIREAT', verified, whole(at + p.verified_for))
    return 'right'
  end
  remember(failed, at, p.failures_per_day, p.day)
  return 'wrong'
end

local function right()
  local mailbox = redis.call('HGET', listed, p.address)
  return { 'right', tonumber(redis.call('HGET', verified, 'until')), mailbox or '' }
end

-- The same request once more, because its answer was lost: tell it again.
if redis.call('HGET', verified, 'by') == p.once then return right() end

-- A source that guesses at many addresses meets its own limit: what is wrong
-- counts, also where no code is out. Beyond the limit no guess is looked at, so
-- that its code keeps what it bears.
if p.source_limit > 0 then
  local wait = until_free(source, p.source_limit, p.source_window, at)
  if wait > 0 then return { 'source_limit', wait } end
end
local verdict = judge()
if verdict == 'right' then return right() end
if verdict == 'wrong' and p.source_limit > 0 then remember(source, at, p.source_limit, p.source_window) end
return { 'wrong', 0 }
