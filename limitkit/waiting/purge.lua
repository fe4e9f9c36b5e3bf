-- Removes parked messages for good, those that were next first. One step, so that each message is either removed, or
-- still parked, or has come back to its queue.
--
-- KEYS   1 messages  2 queues  3 due  4 intervals (see park.lua)  5 line (see line.lua)
-- ARGV   1 queue  then for each bucket: it, how many to remove at most
-- Returns how many were removed.

local call = redis.call
local removed = 0

for at = 2, #ARGV, 2 do
  local bucket = ARGV[at]
  local from, to = span(bucket)
  local first = call('ZRANGEBYLEX', KEYS[5], from, to, 'LIMIT', 0, ARGV[at + 1])
  local tags = {}
  for index, each in ipairs(first) do
    tags[index] = tag_of(bucket, each)
  end
  if #first > 0 then
    removed = removed + call('HDEL', KEYS[1], unpack(tags))
    call('ZREMRANGEBYLEX', KEYS[5], from, '[' .. first[#first])
  end
  if call('ZLEXCOUNT', KEYS[5], from, to) == 0 then
    call('ZREM', KEYS[3], bucket)
    call('HDEL', KEYS[4], bucket)
  end
end
if call('EXISTS', KEYS[3]) == 0 then
  call('SREM', KEYS[2], ARGV[1])
end
return removed
