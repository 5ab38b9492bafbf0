-- Walks from a checkpoint's parent towards the root, collecting the writes of channels and what they start from.
-- ARGV: 3 the namespace whose newest checkpoint is meant, or ''; 4 the member meant otherwise; from 5, channels.
-- Returns write fields and their values, newest checkpoint first; then each channel found and its value.
local stale, opened = claim()
if stale then return stale end
if opened then touch() end
local wanted, left = {}, 0
for i = 5, #ARGV do wanted[ARGV[i]], left = true, left + 1 end
local fields, writes, channels, seeds = {}, {}, {}, {}

local function collect(member)
  local theirs = writes_of(member)
  local values, missing = gather(KEYS[5], theirs)
  for i, value in ipairs(missing and {} or values) do
    if wanted[channel_of(value)] then fields[#fields + 1], writes[#writes + 1] = theirs[i], value end
  end
  return missing
end

-- A checkpoint's value is older than the writes that lie beside it.
local function seed(member, versions)
  local ns = namespace(member)
  for item in string.gmatch(versions, '[^\254]+') do
    local channel = string.match(item, '^[^\253]*')
    local value = wanted[channel] and redis.call('HGET', KEYS[3], ns .. item)
    if value and value ~= '' then
      channels[#channels + 1], seeds[#seeds + 1] = channel, value
      wanted[channel], left = nil, left - 1
    end
  end
end

local member = ARGV[3] == '' and ARGV[4] or newest_of(ARGV[3])[1]
local record = member and redis.call('HGET', KEYS[2], member)
while record and left > 0 do
  local _, parent, _, delta = parts(record)
  member = namespace(member) .. parent
  record = parent ~= '' and redis.call('HGET', KEYS[2], member)
  if parent ~= '' and delta ~= '' and not record then return redis.error_reply('DAMAGED no parent') end
  if record then
    if collect(member) then return redis.error_reply('DAMAGED no value') end
    seed(member, (parts(record)))
  end
end
return {fields, writes, channels, seeds}
