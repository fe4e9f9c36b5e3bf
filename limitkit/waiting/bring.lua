-- Puts parked requests that are due back into their queue, at its front, in one step.
--
-- A bucket's requests come back spread at its rate, each `lead` seconds before its turn, unless workers say that they
-- could start more (hungry), or that they hold as much as they can start (full).
--
-- KEYS   1 messages  2 queues  3 clock; then for each queue: due, intervals, what a bucket's key begins with (see park.lua)
-- ARGV   1 lead (s)  2 most messages in one call  3 number of hungry  4 number of full
--        then for each hungry: bucket, interval (s), number wanted (0 to count them only); for each full: bucket, interval,
--        seconds until it is not, or -1 when only this worker can use no more: others may, and bring them back. A worker
--        that has a much slower rate than what is parked does not know the new rate yet, and is ignored.
--        then the names of the queues
-- Returns flat: microseconds until more is due (-1: nothing is parked), then bucket and number still parked for each
-- hungry one and each one of which something came back.

local call, floor, max, min = redis.call, math.floor, math.max, math.min

local now = clock(KEYS[3])
local lead, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local hungry, full = tonumber(ARGV[3]), tonumber(ARGV[4])
local first_full = 4 + 3 * hungry
local first_queue = first_full + 3 * full
local most = max(room, 64)
local returns, left, counted, unwanted = {}, {}, {}, {}
local soonest

local function set_due(due, bucket, moment)
  call('ZADD', due, string.format('%.6f', moment), bucket)
end

-- Takes the first `wanted` of a bucket out of the waiting room. A bucket may be in several queues, and one of a queue may be
-- met twice: as a hungry one, and as one that is due.
local function take_out(key, due, intervals, bucket, wanted)
  wanted = min(wanted, room)
  local tags = wanted > 0 and call('ZRANGE', key, 0, wanted - 1) or {}
  for _, tag in ipairs(tags) do
    local kept = call('HGET', KEYS[1], tag)
    if kept then
      returns[#returns + 1] = kept
    end
    call('HDEL', KEYS[1], tag)
  end
  if #tags > 0 then
    room = room - #tags
    call('ZREMRANGEBYRANK', key, 0, #tags - 1)
  end
  local count = call('ZCARD', key)
  left[bucket] = (left[bucket] or 0) + count - (counted[key] or 0)
  counted[key] = count
  if count == 0 then
    call('ZREM', due, bucket)
    call('HDEL', intervals, bucket)
  end
  return #tags, count
end

for queue = 1, #ARGV - first_queue do
  local due, intervals, prefix = KEYS[3 * queue + 1], KEYS[3 * queue + 2], KEYS[3 * queue + 3]
  for at = first_full + 1, first_queue, 3 do
    local moment = call('ZSCORE', due, ARGV[at])
    if tonumber(ARGV[at + 2]) < 0 then
      unwanted[ARGV[at]] = true
    elseif moment and tonumber(ARGV[at + 1]) <= 2 * tonumber(call('HGET', intervals, ARGV[at]) or 0) then
      set_due(due, ARGV[at], max(moment, now + lead + ARGV[at + 2]))
    end
  end
  for at = 5, first_full, 3 do
    local bucket, interval = ARGV[at], tonumber(ARGV[at + 1])
    local moment = call('ZSCORE', due, bucket)
    left[bucket] = left[bucket] or 0
    if moment then
      local taken, count = take_out(prefix .. bucket, due, intervals, bucket, tonumber(ARGV[at + 2]))
      if count > 0 and taken > 0 then
        call('HSET', intervals, bucket, ARGV[at + 1])
        set_due(due, bucket, min(moment, now + lead + taken * interval))
      end
    end
  end
  local buckets = room > 0 and call('ZRANGEBYSCORE', due, '-inf', now + lead, 'WITHSCORES', 'LIMIT', 0, room + full) or {}
  for at = 1, #buckets, 2 do
    if room <= 0 then break end
    local bucket, moment = buckets[at], tonumber(buckets[at + 1])
    local interval = tonumber(call('HGET', intervals, bucket) or 1)
    -- A bucket that no worker asked about for long does not come back all at once.
    local wanted = unwanted[bucket] and 0 or floor(min(now + lead - moment, lead) / interval) + 1
    local taken, count = take_out(prefix .. bucket, due, intervals, bucket, wanted)
    if count > 0 and taken > 0 then
      set_due(due, bucket, max(moment, now) + taken * interval)
    end
  end
  local head = call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if head[1] then
    soonest = min(soonest or head[2] + 0, head[2])
  elseif call('EXISTS', due) == 0 then
    call('SREM', KEYS[2], ARGV[first_queue + queue])
  end
end

local function with_order(message)
  return { tonumber(message:sub(-80):match('"limitkit_order":%s*(%d+)}}$')), message }
end

local lists = {}
for _, kept in ipairs(returns) do
  local list, message = kept:match('^([^\n]*)\n(.*)$')
  lists[list] = lists[list] or {}
  table.insert(lists[list], with_order(message))
end

-- The front of the queue is the end of the list: the first to be fetched is pushed last. Messages that came back before
-- and were not fetched yet are sorted in.
for list, messages in pairs(lists) do
  for _ = 1, most do
    local front = call('LINDEX', list, -1)
    local message = front and with_order(front)
    if not message or not message[1] then break end
    call('RPOP', list)
    table.insert(messages, message)
  end
  table.sort(messages, function(one, other) return (one[1] or 0) < (other[1] or 0) end)
  for at = #messages, 1, -1 do
    call('RPUSH', list, messages[at][2])
  end
end

local reply = { soonest and max(0, floor((soonest - lead - now) * 1000000)) or -1 }
for bucket, count in pairs(left) do
  reply[#reply + 1], reply[#reply + 2] = bucket, count
end
return reply
