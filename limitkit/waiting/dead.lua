-- Declares a worker dead, if it was not seen since; only one of several that try it at once succeeds. From then on it can't
-- note itself any more (see alive.lua).
--
-- KEYS   1 workers (see alive.lua)
-- ARGV   1 worker  2 when it was last seen, as alive.lua has returned it
-- Returns milliseconds since then; -1 when it was seen meanwhile, or somebody else returns its messages.

local call = redis.call

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = tonumber(call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if seen ~= tonumber(ARGV[2]) then
  return -1
end
call('ZADD', KEYS[1], string.format('%.0f', -now), ARGV[1])
return math.max(0, now - math.abs(seen))
