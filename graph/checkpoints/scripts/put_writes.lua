-- Stores pending writes. ARGV: from 3, the command, the field and the value of each.
local stale = claim()
if stale then return stale end
for i = 3, #ARGV, 3 do
  redis.call(ARGV[i], KEYS[5], ARGV[i + 1], ARGV[i + 2])
  redis.call('ZADD', KEYS[4], 0, ARGV[i + 1])
end
touch()
