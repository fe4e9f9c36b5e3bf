-- Slows a bucket down, or pauses it, because the other side has refused. The arithmetic is that of limitkit/buckets/adaptive_rate.py.
--
-- KEYS   1  the bucket  2  its adapted rate
-- ARGV   1  now in microseconds, or '' for the server's clock
--        2  microseconds since that start  3  microseconds that the other side asks to wait, or -1
--        4  slow or pause  5  interval (us)  6  burst  7  factor
--        8  step  9  floor  10  ceiling: tokens a second, or -1 where none is named
--        11  1 for a token bucket, 0 for a limit of another kind
-- Returns whether anything has changed (1 or 0), microseconds of pause, and the interval in force (us).

local SECOND, ROUND, PROBES, PLATEAU = 1000000, 1000000, 2, 0.98
local CLIMB, CLIMB_TOKENS, LONGEST_CLIMB = 15, 100, 86400000000
local DEEPEST, LONGEST_ROW, CLOSED, FLOOR = 0.5, 7, 0.75, 0.01
local LONGEST_GUESSED_PAUSE, KEPT, LONGEST_LEAD = 60000000, 3600000000, 1000000
local ceil, floor, max, min, format = math.ceil, math.floor, math.max, math.min, string.format
local call = redis.call

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local begun, wait, action = now - ARGV[2], tonumber(ARGV[3]), ARGV[4]
local every, burst, factor = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local step, least, most = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local names_time = wait >= 0
wait = max(0, wait)

local before = adapted(KEYS[2])

-- The state after the cut; its times are not set yet.
local function cut(row)
  local own = SECOND / every
  local ceiling = most < 0 and own or min(most, own)
  local lowest = min(ceiling, least < 0 and own * FLOOR or least)
  local last, first, closed = own, own, false
  if before and before.plateau > 0 then
    last = min(own, rate(before, begun - ROUND / 2)) -- the mean rate of the second before was too high
    first = row > 1 and before.first or last
    closed = row > 1 and before.low <= lowest
  end
  local left = factor
  for _ = 2, row do left = left * left end
  local low = min(ceiling, max(lowest, last * max(left, min(factor, DEEPEST))))
  local plateau = min(ceiling, max(low, closed and first * CLOSED or last * PLATEAU))
  local seconds = step < 0 and max(CLIMB, CLIMB_TOKENS / plateau) or (plateau - low) / step
  local climb = min(LONGEST_CLIMB, max(SECOND, ceil(seconds * SECOND)))
  return { low = low, plateau = plateau, climb = climb, ceiling = ceiling, row = row, first = first }
end

local after, changed
if before and begun < before.round then
  local paused = wait > 0 and max(before.paused, now + wait) or before.paused
  local over = max(before.round, paused)
  changed = paused > before.paused + SECOND
  before.since, before.paused, before.round = before.since + over - before.round, paused, over
  after = before
else
  local row = before and begun < before.since + ROUND and min(before.row + 1, LONGEST_ROW) or 1
  changed = true
  if action == 'pause' and not names_time then wait = min(LONGEST_GUESSED_PAUSE, SECOND * 2 ^ (row - 1)) end
  local paused = max(now + wait, before and before.paused or 0)
  -- The bucket's next slot: starts before it got their slots before the cut.
  local depth = burst * every - interval_of(before, now, every)
  local kept = ARGV[11] == '1' and call('GET', KEYS[1]) or '' -- of a metered one, the first number
  local slot = min((tonumber(kept:match('^%d+')) or now) - max(0, depth), now + LONGEST_LEAD)
  local over = max(now + ROUND, paused, slot)
  if action == 'pause' then
    after = { low = 0, plateau = 0, climb = 1, ceiling = 0, row = row, first = 0, since = over }
  else
    after = cut(row)
    after.since = over + PROBES * ceil(SECOND / after.low)
  end
  after.paused, after.round = paused, over
end

local climb = 0
if after.plateau > 0 then
  climb = floor(after.climb * (1 + HOLD + TAIL * max(0, after.ceiling / after.plateau - 1) ^ (1 / 3)))
end
local kept = after.since - now + burst * every + climb + KEPT
local text = format(
  '%.0f %.0f %.17g %.17g %.0f %.17g %.0f %.0f %.17g',
  after.paused, after.since, after.low, after.plateau, after.climb, after.ceiling, after.round, after.row, after.first
)
call('SET', KEYS[2], text, 'PX', format('%.0f', ceil(kept / 1000)))
return { changed and 1 or 0, max(0, after.paused - now), interval_of(after, now, every) }
