-- Moves parked requests to a sooner or later time when the rate of their limit has changed: some buckets at a time.
-- Doing it twice does no harm, since the interval by which a bucket is due is kept beside it.
--
-- KEYS   1 due  2 intervals (see park.lua)  3 clock
-- ARGV   1 cursor ('0' to begin)  2 about how many to look at  3 JSON: buckets' keys, or the limits' tags in them -> interval (s)
-- Returns the next cursor; '0' when all were looked at.

local call, max, min = redis.call, math.max, math.min

local now = clock(KEYS[3])
local wanted = cjson.decode(ARGV[3])
local scanned = call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local found = scanned[2]
for at = 1, #found, 2 do
  local bucket, rest = found[at], max(0, found[at + 1] - now)
  local interval = wanted[bucket] or wanted[string.match(bucket, '{([^}]*)}')]
  local before = interval and tonumber(call('HGET', KEYS[2], bucket) or nil)
  if before and before ~= interval then
    local scaled = rest * interval / before
    -- The next one is a token's time away at most, however slow that is now.
    if scaled > rest then scaled = max(rest, min(scaled, interval)) end
    call('ZADD', KEYS[1], string.format('%.6f', now + scaled), bucket)
    call('HSET', KEYS[2], bucket, interval)
  end
end
return scanned[1]
