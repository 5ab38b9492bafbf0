-- Deletes the thread, its epoch included.
local stale = claim()
if stale then return stale end
redis.call('UNLINK', unpack(KEYS))
