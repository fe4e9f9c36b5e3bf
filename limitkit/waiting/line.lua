-- All that is parked of one queue, in one key, so that each script can name the keys that it needs; put before the scripts
-- that need it.
--
-- The line is a sorted set without scores: what is in it is the place of a message, and is sorted as text. A place is the
-- bucket, a NUL, the order in 16 digits, a NUL, and the message's tag. So a bucket's messages are together and in their
-- order, and no bucket's name can be the beginning of another's, as there is no NUL in any.

local LAST = 9000000000000000 -- the highest order: a double holds each up to here exactly, in 16 digits

local function place(bucket, order, tag)
  return bucket .. '\0' .. string.format('%016.0f', math.max(0, math.min(order, LAST))) .. '\0' .. tag
end

-- Between which two a bucket's places are.
local function span(bucket)
  return '[' .. bucket .. '\0', '(' .. bucket .. '\1'
end

local function order_of(bucket, place)
  return tonumber(place:sub(#bucket + 2, #bucket + 17))
end

local function tag_of(bucket, place)
  return place:sub(#bucket + 19)
end
