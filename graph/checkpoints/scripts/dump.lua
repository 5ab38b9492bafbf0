-- Reads a whole thread but its epoch: five dumps ('' for an absent key), then the members of its timeline.
local reply = {}
for i = 1, 5 do reply[i] = redis.call('DUMP', KEYS[i]) or '' end
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do reply[#reply + 1] = member end
return reply
