-- Issues a challenge, or says which limit forbids it. An address that is not
-- listed or is registered takes every step that a listed one takes; only the
-- kind in its challenge differs, and such a challenge cannot be met.

local source, asked, failed, code, listed, registered = unpack(KEYS)
local at = clock()

local function issue()
  if p.source_limit > 0 then
    local wait = until_free(source, p.source_limit, p.source_window, at)
    if wait > 0 then return 'source_limit', wait end
    remember(source, at, p.source_limit, p.source_window)
  end

  local kind = 'decoy_unlisted'
  if redis.call('HEXISTS', listed, p.address) == 1 then kind = 'code' end
  if redis.call('HEXISTS', registered, p.address) == 1 then kind = 'decoy_registered' end
  if p.disclose and kind ~= 'code' then return 'not_eligible', 0 end

  local reason, wait = refusal(asked, failed, at)
  if wait > 0 then return reason, wait end

  -- Two mails of one person never show the same reference one after the other.
  local ref = p.ref
  if redis.call('HGET', code, 'ref') == ref then ref = p.other_ref end

  remember(asked, at, math.max(p.per_hour, p.per_day), p.day)
  redis.call('DEL', code)
  redis.call('HSET', code,
    'issue', p.once, 'kind', kind, 'ref', ref, 'draw', p.draw, 'kid', p.kid, 'digest', p.digest,
    'issued', whole(at), 'expires', whole(at + p.ttl), 'left', p.attempts)
  redis.call('PEXPIREAT', code, whole(at + p.ttl))
  return 'issued', 0
end

-- The same request once more, because its answer was lost: tell it again, with the
-- code that is out.
if redis.call('HGET', code, 'issue') ~= p.once then
  local outcome, wait = issue()
  if outcome ~= 'issued' then return { outcome, wait } end
end

local c = redis.call('HMGET', code, 'kind', 'ref', 'issued', 'expires', 'draw', 'kid')
local mailbox = redis.call('HGET', listed, p.address)
local _, resend_after = refusal(asked, failed, at)
return { 'issued', resend_after, c[1], c[2], tonumber(c[3]), tonumber(c[4]), mailbox or '', c[5] or '', c[6] }
