-- Makes the thread a copy of what dump.lua returned. ARGV: 3 to 7 the dumps, then the members of the source.
local stale = refused()
if stale then return stale end
local known = {}
for i = 8, #ARGV do known[ARGV[i]] = true end
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if not known[member] then return redis.error_reply('OCCUPIED') end
end
claim()
for i = 1, 5 do
  if ARGV[i + 2] ~= '' then redis.call('RESTORE', KEYS[i], 0, ARGV[i + 2], 'REPLACE') end
end
for i = 1, 5 do
  if ARGV[i + 2] == '' then redis.call('UNLINK', KEYS[i]) end
end
touch()
