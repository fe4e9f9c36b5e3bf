-- Renews leases of slots that are still there; what was removed is not revived.
--
-- KEYS   for each lease: its limit's slots (see slots.lua)
-- ARGV   1  now in microseconds, or '' for the server's clock
--        then for each lease: for how long it is renewed (us), and its member
-- Returns for each lease whether its slot is there (1 or 0).

local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local kept = {}
for at, key in ipairs(KEYS) do
  local lease, member = ARGV[2 * at], ARGV[2 * at + 1]
  kept[at] = call('ZSCORE', key, member) and 1 or 0
  if kept[at] == 1 then
    call('ZADD', key, string.format('%.0f', now + lease), member)
    local lasts = math.floor(lease / 1000) + 1000
    if call('PTTL', key) < lasts then call('PEXPIRE', key, string.format('%.0f', lasts)) end
  end
end
return kept
