-- Reads checkpoints. ARGV: 3 the namespace of which the newest is wanted, or '' and the members from 4 on.
-- Returns members, records, channel fields, their values, write fields, their values.
local stale, opened = claim()
if stale then return stale end
if opened then touch() end
local wanted = {}
if ARGV[3] ~= '' then
  wanted = newest_of(ARGV[3])
else
  for i = 4, #ARGV do wanted[#wanted + 1] = ARGV[i] end
end
local members, records, fields, seen, pending = {}, {}, {}, {}, {}
for i, record in ipairs((gather(KEYS[2], wanted))) do
  local member = wanted[i]
  if record then
    members[#members + 1] = member
    records[#records + 1] = record
    channel_fields(member, (parts(record)), fields, seen)
    for _, field in ipairs(writes_of(member)) do pending[#pending + 1] = field end
  elseif redis.call('ZSCORE', KEYS[1], member) then
    return redis.error_reply('DAMAGED no record')
  end
end
if #members == 0 and redis.call('EXISTS', KEYS[1]) < redis.call('EXISTS', KEYS[2]) then
  return redis.error_reply('DAMAGED no timeline')
end
if #pending == 0 and redis.call('EXISTS', KEYS[4]) < redis.call('EXISTS', KEYS[5]) then
  return redis.error_reply('DAMAGED no list of writes')
end
local values, no_value = gather(KEYS[3], fields)
local writes, no_write = gather(KEYS[5], pending)
if no_value or no_write then return redis.error_reply('DAMAGED no value') end
return {members, records, fields, values, pending, writes}
