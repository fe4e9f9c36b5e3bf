-- The line of a queue: all that is parked of it, in one key, so that a script can name each key that it touches. It comes
-- before the scripts that need it; limitkit/waiting/redis_keys.py writes and reads places, too.
--
-- The line is a sorted set in which all scores are 0, so it is sorted by the bytes of its members, the places of messages. A
-- place is the bucket, a NUL, the order in 16 digits, a NUL, and the message's tag: so a bucket's messages stand together,
-- in their order. No bucket has a NUL in its name, so none can be taken for another whose name begins alike.
--
-- With fair_by, each value has a line of its own: in place of the bucket stand a NUL, \1, the bucket, a NUL, and the value's
-- digest. For whose turn is next see turns.lua.

local unpack = unpack or table.unpack
local LAST = 9000000000000000 -- the highest order: a double holds all up to here exactly, and they have 16 digits

-- Names the line of one value of a bucket; of the bucket itself for what waits without a value.
local function own_line(bucket, value)
  return value == '' and bucket or '\0\1' .. bucket .. '\0' .. value
end

local function place(own, order, tag)
  return own .. '\0' .. string.format('%016.0f', order) .. '\0' .. tag
end

-- The ends of the range in which the places of one such line are, as ZRANGEBYLEX takes them.
local function span(own)
  return '[' .. own .. '\0' .. '0', '(' .. own .. '\0:'
end

-- Counts what is parked for a bucket, whatever the values.
local function count_of(line, bucket)
  local from, to = span(bucket)
  local of_values = '\0\1' .. bucket
  return redis.call('ZLEXCOUNT', line, from, to)
    + redis.call('ZLEXCOUNT', line, '[' .. of_values .. '\0', '(' .. of_values .. '\1')
end

local function order_of(own, standing)
  return tonumber(standing:sub(#own + 2, #own + 17))
end

local function tag_of(own, standing)
  return standing:sub(#own + 19)
end
