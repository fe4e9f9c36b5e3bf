-- Puts parked requests that are due back into their queue, at its front, in one step.
--
-- A bucket's requests come back spread at its rate, each `lead` seconds before its turn, unless workers say that they
-- could start more (hungry), or that they hold as much as they can start (full). With fair_by, the values take turns, and
-- the lead is a shorter one: what is in the workers already is before all values that come new.
--
-- KEYS   1 messages  2 queues  3 clock; then for each queue: due, intervals (see park.lua), line (see line.lua), turns (see
--        turns.lua), and its lists, one for each priority step
-- ARGV   1 lead (s)  2 most messages in one call  3 most orders of one priority  4 the priority steps (JSON)
--        5 for each hungry: bucket, interval (s), number wanted (0 to count them only) (JSON)
--        6 for each full: bucket, interval, seconds until it is not, or -1 when only this worker can use no more: others
--        may, and bring them back (JSON). A worker that has a much slower rate than what is parked does not know the new
--        rate yet, and is ignored.
--        7 lead of a bucket with turns (s)  then the names of the queues
-- Returns flat: microseconds until more is due (-1: nothing is parked), how many came back, then bucket and number still
-- parked for each hungry one and each one of which something came back.

local call, floor, max, min = redis.call, math.floor, math.max, math.min

local now = clock(KEYS[3])
local lead, room, orders = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local steps, hungry, full = cjson.decode(ARGV[4]), cjson.decode(ARGV[5]), cjson.decode(ARGV[6])
local turns_lead = tonumber(ARGV[7])
local first_queue = 8
local MOST_SKIPPED = 4096
local MOST_UNFETCHED = 256 -- of what came back before: workers that fetch more slowly than they start get no more
local returns, left, unwanted, takes_turns = {}, {}, {}, {}
local came, soonest = 0, nil

local function queue_at(number)
  local first = 4 + (number - 1) * (4 + #steps)
  local queue = { due = KEYS[first], intervals = KEYS[first + 1], line = KEYS[first + 2], turns = KEYS[first + 3] }
  queue.lists, queue.counted = {}, {}
  for at = 1, #steps do
    queue.lists[at] = KEYS[first + 3 + at]
    queue.lists[queue.lists[at]] = true
  end
  return queue
end

-- The list that a message came from, if this worker has named it. Another list is of other priority steps, which some worker
-- had that parked it: this worker may not touch it, and perhaps none reads it any more. So the message goes where kombu
-- would put it for this worker: into the list of the highest step that is not above its own, or else of the last.
local function list_of(lists, named, order)
  if lists[named] then return named end
  local chosen = #steps
  for at, step in ipairs(steps) do
    if step <= order / orders then chosen = at end
  end
  return lists[chosen]
end

-- Reads the order out of a message that came back and was not fetched yet: `at` is its place from the front of the list.
local function unfetched(list, at)
  local message = call('LINDEX', list, -at)
  return message and tonumber(message:sub(-80):match('"limitkit_order":%s*(%d+)}}$')), message
end

local function is_crowded(lists)
  local count = 0
  for _, list in ipairs(lists) do
    local at = 1
    while count < MOST_UNFETCHED and unfetched(list, at) do
      count, at = count + 1, at + 1
    end
  end
  return count >= MOST_UNFETCHED
end

local function lead_of(queue, bucket)
  return call('HEXISTS', queue.turns, bucket) == 1 and turns_lead or lead
end

local function set_due(due, bucket, moment)
  call('ZADD', due, string.format('%.6f', moment), bucket)
end

-- Takes the first `wanted` of a bucket out of the waiting room. A bucket may be in several queues, and one of a queue may be
-- met twice: as a hungry one, and as one that is due.
local function take_out(queue, bucket, wanted)
  local from, to = span(bucket)
  wanted = min(wanted, room)
  local first, owns = {}, {}
  local turns = call('HEXISTS', queue.turns, bucket) == 1
  if wanted > 0 and turns then
    first, owns = take_turns(queue, bucket, wanted)
  elseif wanted > 0 then
    first = call('ZRANGEBYLEX', queue.line, from, to, 'LIMIT', 0, wanted)
  end
  local tags, met = {}, {}
  for at, each in ipairs(first) do
    tags[at] = tag_of(owns[at] or bucket, each)
  end
  for at, kept in ipairs(#tags > 0 and call('HMGET', KEYS[1], unpack(tags)) or {}) do
    if kept and not met[tags[at]] then -- one that was delivered and parked twice is kept once
      met[tags[at]] = true
      local order = order_of(owns[at] or bucket, first[at])
      local named, message = kept:match('^([^\n]*)\n(.*)$')
      local value = named:find('\0', 1, true)
      if value then named = named:sub(1, value - 1) end
      local list = list_of(queue.lists, named, order)
      returns[list] = returns[list] or {}
      table.insert(returns[list], { order, message })
      takes_turns[list] = takes_turns[list] or turns
      came = came + 1
    end
  end
  if #first > 0 then
    room = room - #first
    call('HDEL', KEYS[1], unpack(tags))
    if not turns then call('ZREMRANGEBYLEX', queue.line, from, '[' .. first[#first]) end
  end
  local count = count_of(queue.line, bucket)
  left[bucket] = (left[bucket] or 0) + count - (queue.counted[bucket] or 0)
  queue.counted[bucket] = count
  if count == 0 then
    call('ZREM', queue.due, bucket)
    call('HDEL', queue.intervals, bucket)
    if turns then forget_turns(queue, bucket) end
  end
  return #first, count
end

for number = 1, #ARGV - first_queue + 1 do
  local queue = queue_at(number)
  local due, intervals, crowded = queue.due, queue.intervals, is_crowded(queue.lists)
  for at = 1, #full, 3 do
    local bucket, interval, seconds = full[at], full[at + 1], full[at + 2]
    local moment = seconds >= 0 and call('ZSCORE', due, bucket)
    if seconds < 0 then
      unwanted[bucket] = true
    elseif moment and interval <= 2 * tonumber(call('HGET', intervals, bucket) or 0) then
      set_due(due, bucket, max(moment, now + lead_of(queue, bucket) + seconds))
    end
  end
  for at = 1, #hungry, 3 do
    local bucket, interval = hungry[at], hungry[at + 1]
    local moment = call('ZSCORE', due, bucket)
    left[bucket] = left[bucket] or 0
    if moment then
      local taken, count = take_out(queue, bucket, crowded and 0 or hungry[at + 2])
      if count > 0 and taken > 0 then
        call('HSET', intervals, bucket, interval)
        set_due(due, bucket, min(moment, now + lead_of(queue, bucket) + taken * interval))
      end
    end
  end
  local skipped, buckets, size = 0, nil, room + floor(#full / 3)
  repeat
    buckets = {}
    if room > 0 and not crowded then
      buckets = call('ZRANGEBYSCORE', due, '-inf', now + lead, 'WITHSCORES', 'LIMIT', skipped, size)
    end
    local before = skipped
    for at = 1, #buckets, 2 do
      if room <= 0 then break end
      local bucket, moment = buckets[at], tonumber(buckets[at + 1])
      local interval, mine = tonumber(call('HGET', intervals, bucket) or 1), lead_of(queue, bucket)
      if moment > now + mine then
        skipped = skipped + 1
      else
        -- A bucket that no worker asked about for long does not come back all at once.
        local wanted = unwanted[bucket] and 0 or floor(min(now + mine - moment, mine) / interval) + 1
        local taken, count = take_out(queue, bucket, wanted)
        if count > 0 and taken > 0 then
          set_due(due, bucket, max(moment, now) + taken * interval)
        end
      end
    end
  -- Where all were skipped that were read, others may be behind them.
  until skipped == before or skipped > MOST_SKIPPED or #buckets < 2 * size
  local head = call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if head[1] then
    soonest = min(soonest or head[2] + 0, head[2])
  elseif call('EXISTS', due) == 0 then
    call('SREM', KEYS[2], ARGV[first_queue + number - 1])
  end
end

-- The front of the queue is the end of the list: the first to be fetched is pushed last. Messages that came back before
-- and were not fetched yet are sorted in by their order. Where values take turns, they stay in front of those that come now:
-- their turn was before, and their order says only when they came.
for list, messages in pairs(returns) do
  local before = {}
  for _ = 1, MOST_UNFETCHED do
    local order, message = unfetched(list, 1)
    if not order then break end
    call('RPOP', list)
    table.insert(before, { order, message })
  end
  for at = 1, #messages do
    before[#before + 1] = messages[at]
  end
  messages = before
  if takes_turns[list] then
    for at, each in ipairs(messages) do
      each[1] = floor(each[1] / orders) * orders + at
    end
  end
  table.sort(messages, function(one, other) return one[1] < other[1] end)
  for at = #messages, 1, -1 do
    call('RPUSH', list, messages[at][2])
  end
end

local reply = { soonest and max(0, floor((soonest - lead - now) * 1000000)) or -1, came }
for bucket, count in pairs(left) do
  reply[#reply + 1], reply[#reply + 2] = bucket, count
end
return reply
