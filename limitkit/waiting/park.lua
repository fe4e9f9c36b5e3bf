-- Parks delivered messages: takes each out of what is not acknowledged (kombu's unacked), and keeps it under the bucket
-- that it waits for. One step, so that a killed worker leaves a message in one of the two places.
--
-- KEYS   1 unacked index (sorted set)  2 unacked (hash)  3 messages (hash: tag -> list to go back to, newline, message)
--        4 queues (set)  5 order (the last one given)  6 clock (string)
--        7 due (sorted set: bucket -> moment at which its next one is due, seconds)
--        8 intervals (hash: bucket -> seconds)  9 line (see line.lua)  10 turns (see turns.lua)
-- ARGV   1 queue  2 most orders of one priority  3 orders a second  then for each message: tag, bucket, interval (s),
--        turn (s from now; -1 when it has come already, and others may have it), priority, order ('' when it was never
--        parked), the list to go back to, the message's text before its order, the text behind it, and for whom it waits:
--        the value's digest, weight and cost, with blanks between; or ''
-- Returns one number for each: 1 parked; 0 not delivered to this worker any more, so that another one has it.

local call = redis.call

local now = clock(KEYS[6])
local queue = { line = KEYS[9], turns = KEYS[10] }
local most = tonumber(ARGV[2])
local first = math.floor(now * ARGV[3])
local last = math.max(tonumber(call('GET', KEYS[5]) or 0), first - 1)
local parked, enlisted = {}, {}
-- What is written in one command for all messages.
local tags, places, intervals = {}, {}, {}

for at = 4, #ARGV, 10 do
  local tag, bucket = ARGV[at], ARGV[at + 1]
  parked[#parked + 1] = call('HDEL', KEYS[2], tag)
  if parked[#parked] == 1 then
    local order = tonumber(ARGV[at + 5])
    if not (order and order >= 0 and order <= LAST) then
      last = last + 1
      order = math.min(ARGV[at + 4] * most + last, LAST)
    end
    local value, weight, cost = string.match(ARGV[at + 9], '^(%S+) (%S+) (%S+)$')
    -- Whoever looks for a message finds its line by the value, which stands behind the list.
    local list = ARGV[at + 6] .. (value and '\0' .. value or '')
    call('HSET', KEYS[3], tag, list .. '\n' .. ARGV[at + 7] .. string.format('%.0f', order) .. ARGV[at + 8])
    local waits, is_new = value and bucket .. '\0' .. ARGV[at + 9], false
    if value and not enlisted[waits] then -- many of one value are the same to it
      enlisted[waits] = true
      is_new = enlist(queue, bucket, value, tonumber(weight), tonumber(cost))
    end
    local next = 2 * #tags + 1
    places[next], places[next + 1] = 0, place(own_line(bucket, value or ''), order, tag)
    intervals[next], intervals[next + 1] = bucket, ARGV[at + 2]
    tags[#tags + 1] = tag
    local turn, due = tonumber(ARGV[at + 3]), tonumber(call('ZSCORE', KEYS[7], bucket) or nil)
    -- Its turn may be before that of the others: a worker held it, or it is back from its queue.
    local moment = math.min(due or math.huge, now + math.max(turn, 0))
    -- The first one of a value that comes new comes back at once, beside what came back of the others.
    if due and (turn < 0 or is_new) then
      moment = math.max(now, due - ARGV[at + 2])
    end
    if moment ~= due then
      call('ZADD', KEYS[7], string.format('%.6f', moment), bucket)
    end
  end
end
if #tags > 0 then
  call('ZREM', KEYS[1], unpack(tags))
  call('ZADD', KEYS[9], unpack(places))
  call('HSET', KEYS[8], unpack(intervals))
end
if last >= first then
  call('SET', KEYS[5], string.format('%.0f', last))
end
call('SADD', KEYS[4], ARGV[1])
return parked
