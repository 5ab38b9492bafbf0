-- Stores a checkpoint. ARGV: 3 member, 4 record, then field and value of each new channel version.
local stale = claim()
if stale then return stale end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', KEYS[1], 0, ARGV[3])
touch()
