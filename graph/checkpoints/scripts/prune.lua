-- Keeps the newest checkpoint of each namespace, and the ancestors from which its delta channels are rebuilt.
local stale = claim()
if stale then return stale end
local newest, kept, gone = {}, {}, {}
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, member in ipairs(members) do newest[namespace(member)] = member end
for ns, member in pairs(newest) do
  local record = redis.call('HGET', KEYS[2], member)
  while record and not kept[member] do
    kept[member] = true
    local _, parent, _, delta = parts(record)
    member = ns .. parent
    record = delta ~= '' and parent ~= '' and redis.call('HGET', KEYS[2], member)
  end
end
for _, member in ipairs(members) do
  if not kept[member] then gone[#gone + 1] = member end
end
if #gone > 0 then discard(gone) end
touch()
