-- KEYS: 1 timeline, 2 checkpoints, 3 channels, 4 pending, 5 writes, 6 epoch.
-- ARGV: 1 the caller's epoch or '', 2 the time to live in milliseconds or ''.
-- Bytes 255, 254 and 253 join parts, items and pairs; UTF-8 never contains them.

local CHUNK = 1000 -- unpack() overflows the Lua stack near 8,000

-- Returns an error for a caller whose epoch is older than the thread's.
local function refused()
  local held = ARGV[1] ~= '' and redis.call('GET', KEYS[6])
  if held and tonumber(held) > tonumber(ARGV[1]) then return redis.error_reply('STALEEPOCH ' .. held) end
end

-- Opens the thread under the caller's epoch; returns an error for a stale caller, and whether it changed.
local function claim()
  if ARGV[1] == '' then return nil, false end
  local stale = refused()
  if stale then return stale, false end
  local held = redis.call('GET', KEYS[6])
  if held ~= ARGV[1] then redis.call('SET', KEYS[6], ARGV[1]) end
  return nil, held ~= ARGV[1]
end

-- Gives all keys one moment of expiry, or none: a thread never expires by halves.
local function touch()
  if ARGV[2] == '' then
    for _, key in ipairs(KEYS) do redis.call('PERSIST', key) end
    return
  end
  local now = redis.call('TIME') -- Redis 7.0 lets its clock run on within a script, so PEXPIRE would straddle
  local moment = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2])
  for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, moment) end
end

-- Returns the values of hash fields in order, false for an absent one, and whether any is absent.
local function gather(key, fields)
  local values, missing = {}, false
  for first = 1, #fields, CHUNK do
    local last = math.min(first + CHUNK - 1, #fields)
    local part = redis.call('HMGET', key, unpack(fields, first, last))
    for i, value in ipairs(part) do
      values[first + i - 1] = value
      missing = missing or not value
    end
  end
  return values, missing
end

local function remove(command, key, names)
  for first = 1, #names, CHUNK do
    redis.call(command, key, unpack(names, first, math.min(first + CHUNK - 1, #names)))
  end
end

local function parts(record)
  local a = string.find(record, '\255', 1, true)
  local b = string.find(record, '\255', a + 1, true)
  local c = string.find(record, '\255', b + 1, true)
  local d = string.find(record, '\255', c + 1, true)
  local sub = string.sub
  return sub(record, 1, a - 1), sub(record, a + 1, b - 1), sub(record, b + 1, c - 1), sub(record, c + 1, d - 1)
end

-- Returns the channel of a pending write.
local function channel_of(write)
  local a = string.find(write, '\255', 1, true)
  return string.sub(write, a + 1, string.find(write, '\255', a + 1, true) - 1)
end

local function namespace(member)
  return string.sub(member, 1, string.find(member, '\255', 1, true))
end

local function newest_of(ns)
  return redis.call('ZREVRANGEBYLEX', KEYS[1], '(' .. ns .. '\255', '[' .. ns, 'LIMIT', 0, 1)
end

local function writes_of(member)
  return redis.call('ZRANGEBYLEX', KEYS[4], '[' .. member .. '\255', '(' .. member .. '\255\255')
end

-- Collects the channel fields that a checkpoint names, each once.
local function channel_fields(member, versions, fields, seen)
  local ns = namespace(member)
  for item in string.gmatch(versions, '[^\254]+') do
    local field = ns .. item
    if not seen[field] then
      seen[field] = true
      fields[#fields + 1] = field
    end
  end
end

-- Forgets checkpoints with their writes, then every channel value that no remaining checkpoint names.
local function discard(members)
  for _, member in ipairs(members) do
    local fields = writes_of(member)
    remove('HDEL', KEYS[5], fields)
    remove('ZREM', KEYS[4], fields)
  end
  remove('HDEL', KEYS[2], members)
  remove('ZREM', KEYS[1], members)
  local rest = redis.call('ZRANGE', KEYS[1], 0, -1)
  if #rest == 0 then return redis.call('UNLINK', unpack(KEYS)) end
  local seen, unused = {}, {}
  for i, record in ipairs((gather(KEYS[2], rest))) do
    if record then channel_fields(rest[i], (parts(record)), {}, seen) end
  end
  for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
    if not seen[field] then unused[#unused + 1] = field end
  end
  remove('HDEL', KEYS[3], unused)
end
