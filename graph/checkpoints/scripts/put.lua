-- Stores a checkpoint. ARGV: 3 member, 4 record, then field and value of each new channel version.
-- A checkpoint whose unchanged channels are gone is refused: it could not be read.
local stale = refused()
if stale then return stale end
local new = {}
for i = 5, #ARGV, 2 do new[ARGV[i]] = true end
local named = {}
channel_fields(ARGV[3], (parts(ARGV[4])), named, {})
for _, field in ipairs(named) do
  if not new[field] and redis.call('HEXISTS', KEYS[3], field) == 0 then return redis.error_reply('FORGOTTEN') end
end
claim()
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[1], 0, ARGV[3])
touch()
