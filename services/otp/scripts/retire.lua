-- Marks an address as registered and withdraws its code; the verified mark
-- stays. Returns when it was first marked.

local code, registered = unpack(KEYS)
redis.call('HSETNX', registered, p.address, whole(clock()))
redis.call('DEL', code)
return redis.call('HGET', registered, p.address)
