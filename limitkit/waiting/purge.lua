-- Removes parked messages for good, those that were next first. One step, so that each message is either removed, or
-- still parked, or has come back to its queue.
--
-- KEYS   1 messages  2 queues  3 due  4 intervals  5 what a bucket's key begins with (see park.lua)
-- ARGV   1 queue  then for each bucket: it, how many to remove at most
-- Returns how many were removed.

local call = redis.call
local removed = 0

for at = 2, #ARGV, 2 do
  local bucket, most = ARGV[at], tonumber(ARGV[at + 1])
  local key = KEYS[5] .. bucket
  local tags = call('ZRANGE', key, 0, most - 1)
  if #tags > 0 then
    for _, tag in ipairs(tags) do
      removed = removed + call('HDEL', KEYS[1], tag)
    end
    call('ZREMRANGEBYRANK', key, 0, #tags - 1)
  end
  if call('EXISTS', key) == 0 then
    call('ZREM', KEYS[3], bucket)
    call('HDEL', KEYS[4], bucket)
  end
end
if call('EXISTS', KEYS[3]) == 0 then
  call('SREM', KEYS[2], ARGV[1])
end
return removed
