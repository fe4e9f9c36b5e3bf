-- Notes that a worker is alive, and returns those that are not seen. It is called once a second by each worker.
--
-- KEYS   1 workers (sorted set: worker -> milliseconds by this server's clock at which it was last seen; below zero when
--        it is declared dead: then when a worker that returns its messages was last seen at that)
-- ARGV   1 worker  2 milliseconds after which one is not seen  3 '1' for one that begins, else ''
-- Returns whether the worker is alive (0: it was declared dead), then flat: worker and number as above, of the others that
-- are not seen.

local call = redis.call

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = tonumber(call('ZSCORE', KEYS[1], ARGV[1]) or -1)
if seen < 0 and ARGV[3] == '' then
  return { 0 }
end
call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
call('EXPIRE', KEYS[1], 30 * 86400) -- if no worker ever comes again
local reply = { 1 }
-- After a failover the clock may have gone back: who is ahead of it has not been seen since either.
for _, range in ipairs({ { '-inf', now - ARGV[2] }, { now + ARGV[2], '+inf' } }) do
  local low, high = range[1], range[2]
  if low ~= '-inf' then low = string.format('%.0f', low) end
  if high ~= '+inf' then high = string.format('%.0f', high) end
  local found = call('ZRANGEBYSCORE', KEYS[1], low, high, 'WITHSCORES', 'LIMIT', 0, 100)
  for at = 1, #found, 2 do
    reply[#reply + 1] = found[at]
    reply[#reply + 1] = string.format('%.0f', found[at + 1])
  end
end
return reply
