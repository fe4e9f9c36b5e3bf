-- Notes that a worker is there, and counts the workers that have been there lately.
--
-- KEYS   a sorted set: name -> when it was last noted, in microseconds
-- ARGV   1  now in microseconds, or '' for the server's clock
--        2  the name; empty to count only
-- Returns how many there are.

local LATELY = 15000000
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
if ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[2])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - LATELY))
redis.call('PEXPIRE', KEYS[1], LATELY / 1000)
return redis.call('ZCARD', KEYS[1])
