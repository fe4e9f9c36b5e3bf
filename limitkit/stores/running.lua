-- Says who has slots.
--
-- KEYS   slots of limits (see slots.lua)
-- ARGV   1  now in microseconds, or '' for the server's clock
-- Returns for each limit a list: a member, the microseconds left of its lease, the next member, and so on.

local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local found = {}
for at, key in ipairs(KEYS) do
  local members = call('ZRANGEBYSCORE', key, string.format('(%.0f', now), '+inf', 'WITHSCORES')
  for each = 2, #members, 2 do members[each] = string.format('%.0f', members[each] - now) end
  found[at] = members
end
return found
