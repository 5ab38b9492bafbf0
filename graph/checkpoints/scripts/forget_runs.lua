-- Forgets the checkpoints of runs. ARGV: from 3, the run ids.
local runs, gone = {}, {}
for i = 3, #ARGV do runs[ARGV[i]] = true end
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
for i, record in ipairs((gather(KEYS[2], members))) do
  local run = record and select(3, parts(record))
  if run and run ~= '' and runs[run] then gone[#gone + 1] = members[i] end
end
if #gone > 0 then discard(gone) end
