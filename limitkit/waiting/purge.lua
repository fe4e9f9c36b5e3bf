-- Removes parked messages for good, those that were next first. One step, so that each message is either removed, or
-- still parked, or has come back to its queue.
--
-- KEYS   1 messages  2 queues  3 due  4 intervals (see park.lua)  5 line (see line.lua)  6 turns (see turns.lua)
-- ARGV   1 queue  then for each bucket: it, how many to remove at most
-- Returns how many were removed.

local call = redis.call
local removed = 0
local queue = { line = KEYS[5], turns = KEYS[6] }

for at = 2, #ARGV, 2 do
  local bucket = ARGV[at]
  local from, to = span(bucket)
  local turns = call('HEXISTS', KEYS[6], bucket) == 1
  local first, owns = {}, {}
  if turns then
    first, owns = take_turns(queue, bucket, tonumber(ARGV[at + 1]))
  else
    first = call('ZRANGEBYLEX', KEYS[5], from, to, 'LIMIT', 0, ARGV[at + 1])
  end
  local tags = {}
  for index, each in ipairs(first) do
    tags[index] = tag_of(owns[index] or bucket, each)
  end
  if #first > 0 then
    removed = removed + call('HDEL', KEYS[1], unpack(tags))
    if not turns then call('ZREMRANGEBYLEX', KEYS[5], from, '[' .. first[#first]) end
  end
  if count_of(KEYS[5], bucket) == 0 then
    call('ZREM', KEYS[3], bucket)
    call('HDEL', KEYS[4], bucket)
    if turns then forget_turns(queue, bucket) end
  end
end
if call('EXISTS', KEYS[3]) == 0 then
  call('SREM', KEYS[2], ARGV[1])
end
return removed
