-- Whose turn is next of those that are parked for one bucket, by start-time fair queueing; the sums are those of
-- limitkit/buckets/turns.py, where they are explained. It comes behind line.lua, before the scripts that need it.
--
-- A value's start tag is in the queue's line, too: a member of a NUL, \2, the bucket, a NUL, the tag in 16 digits, a NUL, and
-- the value's digest. So the first of these members is the next value. The queue's turns (hash) hold: bucket -> V, the
-- virtual time; bucket, NUL, value -> the value's tag, its weight, and the mean cost of its messages. A value of which nothing is
-- parked any more is forgotten when its turn would be next; a bucket of which nothing is parked, with all its values.
--
-- Here `queue` has the names of two keys: line and turns.

local UNIT, MOST_STEP, MOST_TAG = 1000000, 100000000000000, 4000000000000000
local PAGE = 1000

local function step(weight, cost)
  return math.floor(math.min(math.max(cost * UNIT / weight, 1), MOST_STEP))
end

local function turns_span(bucket)
  return '[\0\2' .. bucket .. '\0', '(\0\2' .. bucket .. '\1'
end

local function turn_place(bucket, tag, value)
  return '\0\2' .. bucket .. '\0' .. string.format('%016.0f', tag) .. '\0' .. value
end

local function value_at(bucket, standing)
  return standing:sub(#bucket + 21)
end

local function field_of(bucket, value)
  return bucket .. '\0' .. value
end

local function state_of(kept)
  local tag, weight, cost = string.match(kept, '(%S+) (%S+) (%S+)')
  return tonumber(tag), tonumber(weight), tonumber(cost)
end

local function written(tag, weight, cost)
  return string.format('%.0f %.17g %.6g', tag, weight, cost)
end

-- Lets a value wait, or changes what is known of it; `cost` is nil when only its weight changes. Returns whether it is new.
local function enlist(queue, bucket, value, weight, cost)
  local call = redis.call
  local field = field_of(bucket, value)
  local found = call('HMGET', queue.turns, bucket, field)
  local now = tonumber(found[1] or 0)
  local tag, kept_weight, kept_cost
  if found[2] then
    tag, kept_weight, kept_cost = state_of(found[2])
  end
  local next, is_new = tag or now, false
  if next <= now then -- V may have passed the tags of those that wait; that is for those that come
    local from, to = span(own_line(bucket, value))
    is_new = not call('ZRANGEBYLEX', queue.line, from, to, 'LIMIT', 0, 1)[1]
    if is_new then next = now end
  end
  if tag and kept_weight ~= weight and tag > now then
    next = now + math.floor(math.min((tag - now) * (kept_weight / weight), MOST_STEP))
  end
  local mean = kept_cost and kept_cost + ((cost or kept_cost) - kept_cost) / 8 or cost
  local state = written(next, weight, mean)
  if state ~= found[2] then
    call('HSET', queue.turns, field, state)
  end
  if next ~= tag then
    if tag then call('ZREM', queue.line, turn_place(bucket, tag, value)) end
    call('ZADD', queue.line, 0, turn_place(bucket, next, value))
  end
  if not found[1] then call('HSET', queue.turns, bucket, '0') end
  return is_new
end

-- Forgets all turns of a bucket.
local function forget_turns(queue, bucket)
  local call = redis.call
  local from, to = turns_span(bucket)
  local chunk
  repeat
    chunk = call('ZRANGEBYLEX', queue.line, from, to, 'LIMIT', 0, PAGE)
    local fields = {}
    for at, each in ipairs(chunk) do
      fields[at] = field_of(bucket, value_at(bucket, each))
    end
    if #fields > 0 then
      call('HDEL', queue.turns, unpack(fields))
      call('ZREMRANGEBYLEX', queue.line, from, '[' .. chunk[#chunk])
    end
  until #chunk < PAGE
  call('HDEL', queue.turns, bucket)
end

-- Makes all tags of a bucket smaller by V, before they are too large to be exact.
local function rebase(queue, bucket, by)
  local call = redis.call
  local from, to = turns_span(bucket)
  local chunk = call('ZRANGEBYLEX', queue.line, from, to)
  for _, each in ipairs(chunk) do
    local value = value_at(bucket, each)
    local field = field_of(bucket, value)
    local tag, weight, cost = state_of(call('HGET', queue.turns, field))
    call('ZREM', queue.line, each)
    tag = math.max(tag - by, 0)
    call('ZADD', queue.line, 0, turn_place(bucket, tag, value))
    call('HSET', queue.turns, field, written(tag, weight, cost))
  end
  call('HSET', queue.turns, bucket, '0')
end

-- Takes the first `wanted` places of a bucket out of the line, in turns. Returns them, and the lines that they were in.
local function take_turns(queue, bucket, wanted)
  local call = redis.call
  local values, taken, owns, gone, touched = {}, {}, {}, {}, {}
  local from, to = turns_span(bucket)
  local last, all

  local function insert(value)
    local low, high = 1, #values + 1
    while low < high do
      local middle = math.floor((low + high) / 2)
      if values[middle].tag <= value.tag then low = middle + 1 else high = middle end
    end
    table.insert(values, low, value)
  end

  -- Reads more of those whose turn is next.
  local function read(count)
    if all then return end
    local found = call('ZRANGEBYLEX', queue.line, last and '(' .. last or from, to, 'LIMIT', 0, count)
    for _, each in ipairs(found) do
      local value = value_at(bucket, each)
      insert({
        name = value,
        own = own_line(bucket, value),
        tag = tonumber(each:sub(#bucket + 4, #bucket + 19)),
        standing = each,
        list = {},
        at = 0,
      })
      last = each
    end
    all = #found < count
  end

  local function next_of(value)
    if value.at == #value.list then
      local first, stop = span(value.own)
      if value.at > 0 then first = '(' .. value.list[value.at] end
      local count = math.ceil((wanted - #taken) / #values)
      value.list, value.at = call('ZRANGEBYLEX', queue.line, first, stop, 'LIMIT', 0, count), 0
    end
    value.at = value.at + 1
    return value.list[value.at]
  end

  -- V, for the values that come new, goes on with each start, but is no more than a turn above the lowest tag.
  local function next_time(now)
    if #touched == 0 or not values[1] then return now end
    local weights, costs, from_now = 0, 0, tonumber(call('HGET', queue.turns, bucket))
    for _, value in ipairs(touched) do
      weights, costs = weights + value.weight, costs + value.cost * value.times
    end
    local turn = step(weights / #touched, costs / #taken)
    local on = turn * #taken / call('ZLEXCOUNT', queue.line, from, to)
    local lowest = math.max(now, values[1].tag)
    return math.max(lowest, math.floor(math.min(from_now + on, lowest + turn)))
  end

  -- What older workers have parked has no value.
  if call('HEXISTS', queue.turns, field_of(bucket, '')) == 0 then
    local first, stop = span(bucket)
    if call('ZRANGEBYLEX', queue.line, first, stop, 'LIMIT', 0, 1)[1] then
      enlist(queue, bucket, '', 1, 1)
    end
  end
  read(wanted)
  local now
  while #taken < wanted and values[1] do
    local value = values[1]
    local standing = next_of(value)
    table.remove(values, 1)
    if standing then
      taken[#taken + 1], owns[#owns + 1] = standing, value.own
      now = value.tag
      if not value.step then
        value.field = field_of(bucket, value.name)
        local _, weight, cost = state_of(call('HGET', queue.turns, value.field))
        value.weight, value.cost, value.step = weight, cost, step(weight, cost)
        touched[#touched + 1], value.times = value, 0
      end
      value.times = value.times + 1
      value.tag = value.tag + value.step
      insert(value)
    else
      if not value.step then gone[#gone + 1] = value end
      read(1)
    end
  end

  read(1)
  now = next_time(now)
  local olds, news, states, fields = {}, {}, {}, {}
  for _, value in ipairs(touched) do
    olds[#olds + 1] = value.standing
    news[#news + 1], news[#news + 2] = 0, turn_place(bucket, value.tag, value.name)
    states[#states + 1], states[#states + 2] = value.field, written(value.tag, value.weight, value.cost)
  end
  for _, value in ipairs(gone) do
    olds[#olds + 1], fields[#fields + 1] = value.standing, field_of(bucket, value.name)
    if #olds >= PAGE then
      call('ZREM', queue.line, unpack(olds))
      call('HDEL', queue.turns, unpack(fields))
      olds, fields = {}, {}
    end
  end
  if #olds > 0 then call('ZREM', queue.line, unpack(olds)) end
  if #fields > 0 then call('HDEL', queue.turns, unpack(fields)) end
  if #taken > 0 then
    call('ZREM', queue.line, unpack(taken))
    call('ZADD', queue.line, unpack(news))
    call('HSET', queue.turns, bucket, string.format('%.0f', now), unpack(states))
    if now > MOST_TAG then rebase(queue, bucket, now) end
  end
  return taken, owns
end
