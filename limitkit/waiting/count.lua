-- Counts what is parked for some buckets of one queue. It changes nothing.
--
-- KEYS   1 due  2 intervals (see park.lua)  3 line (see line.lua)
-- ARGV   1 most orders of one priority  then the buckets
-- Returns for each bucket that has any: it, their number, the order of the one that was parked first, without its
-- priority, the moment at which the next one is due, and the interval (s); the last three as strings.

local call = redis.call
local most = tonumber(ARGV[1])
local reply = {}

-- Each priority's messages are in the order of their parking, so the first is among the first of each.
local function parked_first(bucket, count)
  local least
  local from, to = span(bucket)
  local head = call('ZRANGEBYLEX', KEYS[3], from, to, 'LIMIT', 0, 1)
  while head[1] do
    local whole = order_of(bucket, head[1])
    local order = whole % most
    least = math.min(least or order, order)
    if count == 1 then break end
    head = call('ZRANGEBYLEX', KEYS[3], '[' .. place(bucket, whole - order + most, ''), to, 'LIMIT', 0, 1)
  end
  return least
end

for at = 2, #ARGV do
  local bucket = ARGV[at]
  local count = call('ZLEXCOUNT', KEYS[3], span(bucket))
  if count > 0 then
    reply[#reply + 1] = bucket
    reply[#reply + 1] = count
    reply[#reply + 1] = string.format('%.0f', parked_first(bucket, count))
    reply[#reply + 1] = call('ZSCORE', KEYS[1], bucket) or '0'
    reply[#reply + 1] = call('HGET', KEYS[2], bucket) or '0'
  end
end
return reply
