-- Counts what is parked for some buckets of one queue. It changes nothing.
--
-- KEYS   1 due  2 intervals (see park.lua)  3 line (see line.lua)  4 turns (see turns.lua)
-- ARGV   1 most orders of one priority  then the buckets
-- Returns for each bucket that has any: it, their number, the order of the one that was parked first, without its
-- priority, the moment at which the next one is due, and the interval (s), these three as strings; and how many values
-- take turns.

local call = redis.call
local most = tonumber(ARGV[1])
local MOST_VALUES = 1000 -- of each bucket; with more values, the first may have been parked earlier than is said
local reply = {}

-- Each priority's messages are in the order of their parking, so the first is among the first of each.
local function parked_first(own, count, least)
  local from, to = span(own)
  local head = call('ZRANGEBYLEX', KEYS[3], from, to, 'LIMIT', 0, 1)
  while head[1] do
    local whole = order_of(own, head[1])
    local order = whole % most
    least = math.min(least or order, order)
    if count == 1 then break end
    head = call('ZRANGEBYLEX', KEYS[3], '[' .. place(own, whole - order + most, ''), to, 'LIMIT', 0, 1)
  end
  return least
end

for at = 2, #ARGV do
  local bucket = ARGV[at]
  local count = count_of(KEYS[3], bucket)
  if count > 0 then
    local first, values = parked_first(bucket, count), 0
    if call('HEXISTS', KEYS[4], bucket) == 1 then
      local from, to = turns_span(bucket)
      local found = call('ZRANGEBYLEX', KEYS[3], from, to, 'LIMIT', 0, MOST_VALUES)
      values = #found
      for _, each in ipairs(found) do
        first = parked_first(own_line(bucket, value_at(bucket, each)), count, first)
      end
    end
    reply[#reply + 1] = bucket
    reply[#reply + 1] = count
    reply[#reply + 1] = string.format('%.0f', first or 0)
    reply[#reply + 1] = call('ZSCORE', KEYS[1], bucket) or '0'
    reply[#reply + 1] = call('HGET', KEYS[2], bucket) or '0'
    reply[#reply + 1] = values
  end
end
return reply
