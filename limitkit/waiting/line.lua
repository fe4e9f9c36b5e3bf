-- The line of a queue: all that is parked of it, in one key, so that a script can name each key that it touches. It comes
-- before the scripts that need it; limitkit/waiting/redis_keys.py writes and reads places, too.
--
-- The line is a sorted set in which all scores are 0, so it is sorted by the bytes of its members, the places of messages. A
-- place is the bucket, a NUL, the order in 16 digits, a NUL, and the message's tag: so a bucket's messages stand together,
-- in their order. No bucket has a NUL in its name, so none can be taken for another whose name begins alike.

local unpack = unpack or table.unpack
local LAST = 9000000000000000 -- the highest order: a double holds all up to here exactly, and they have 16 digits

local function place(bucket, order, tag)
  return bucket .. '\0' .. string.format('%016.0f', order) .. '\0' .. tag
end

-- The ends of the range in which a bucket's places are, as ZRANGEBYLEX takes them.
local function span(bucket)
  return '[' .. bucket .. '\0', '(' .. bucket .. '\1'
end

local function order_of(bucket, standing)
  return tonumber(standing:sub(#bucket + 2, #bucket + 17))
end

local function tag_of(bucket, standing)
  return standing:sub(#bucket + 19)
end
