-- Returns messages of a dead worker to the fronts of their queues, in the given order: the last one comes first.
--
-- KEYS   1 unacked index (sorted set)  2 unacked (hash)  3 workers (see alive.lua)  then lists of queues
-- ARGV   1 worker  then for each message: tag, which of the lists, the message
-- Returns how many; the others were acknowledged, or returned by somebody else.

local call = redis.call

local time = call('TIME')
local returned = 0
for at = 2, #ARGV, 3 do
  call('ZREM', KEYS[1], ARGV[at])
  if call('HDEL', KEYS[2], ARGV[at]) == 1 then
    call('RPUSH', KEYS[3 + ARGV[at + 1]], ARGV[at + 2])
    returned = returned + 1
  end
end
call('ZADD', KEYS[3], 'XX', string.format('%.0f', -(time[1] * 1000 + math.floor(time[2] / 1000))), ARGV[1])
return returned
