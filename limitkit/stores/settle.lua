-- Corrects what starts have taken, now that their true costs are known.
--
-- KEYS   the buckets, in order; then, from the last one backwards: with a second argument, what its sender has settled
--        last; the adapted rate of each bucket that has feedback
-- ARGV   1  one string of whole numbers with a space between any two:
--        now in microseconds (nothing before the first space: the server's clock);
--        then for each bucket: its letter (as in take.lua), its interval (us), its burst, which is negative for a bucket
--        with feedback, the time of its window (us), the mark of the take, and tokens to take (below zero: to give back)
--        2  the number of this call, if it may come again because its answer was lost; a later call has a higher number

local KEPT = 120000 -- longer than a settlement is tried
local asked, call, find, abs = ARGV[1], redis.call, string.find, math.abs
local _, at, now = find(asked, '^(%d*)')
now = tonumber(now)
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local looks, recounts = {}, {}
local makers = { m = add_metered, w = add_parts, x = add_times, c = add_resets }

local extra, key = #KEYS, 0
if ARGV[2] then
  if tonumber(call('GET', KEYS[extra]) or 0) >= tonumber(ARGV[2]) then return 0 end
  call('SET', KEYS[extra], ARGV[2], 'PX', KEPT)
  extra = extra - 1
end
while at < #asked do
  local _, to, kind, own, burst, span, mark, more = find(asked, '^ (%a) (%d+) (-?%d+) (%d+) (%d+) (-?%d+)', at + 1)
  at, key = to, key + 1
  own, burst, more = tonumber(own), tonumber(burst), tonumber(more)
  local ask = { own = own, every = own, span = tonumber(span), burst = abs(burst), limit = abs(burst) }
  if burst < 0 then
    ask.every = interval_of(adapted(KEYS[extra]), now, own)
    extra = extra - 1
  end
  if not looks[kind] then makers[kind](looks, recounts, now) end
  if more ~= 0 then recounts[kind](KEYS[key], ask, more, mark) end
end
return key
