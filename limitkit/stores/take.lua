-- Takes from limits of all kinds, all or nothing in each group; gives back. The arithmetic here is that of token buckets,
-- as in limitkit/buckets/token_bucket.py. What is asked of other kinds, kinds.lua reads; metered.lua, window_*.lua and
-- slots.lua have their arithmetic.
--
-- KEYS   the buckets of the give-backs, then those of the takes, in order; then, from the last one backwards: of each
--        bucket its adapted rate, if it has feedback, and of slots who waits for them
-- ARGV   1  one string of whole numbers with a space between any two, since clients take long over many arguments; none
--        but a burst is below zero:
--        now in microseconds (nothing before the first space: the server's clock);
--        number of give-backs; for each: mark, microseconds to go back;
--        then for each take: number of buckets, count, ready, horizon (us), and for each bucket: interval (us), burst,
--        which is negative for a bucket with feedback.
--        Where the bucket is of another kind, its letter comes first (m metered; w, x, c windows; s slots). A give-back
--        then has mark, tokens, interval (us), time of the window (us), burst; a take's bucket has cost, and the time of
--        the window, of its last moments in which nothing may start (c), or of the lease (us); c also begin, end, next
--        end (us)
--        2  any, if other kinds are asked about; then of slots, in order: the member; in a take the waiter, too
-- Returns one string likewise; for each take: number of slots, the slots (us from now), and for each bucket: wait (us),
-- mark, and with feedback the interval in force (us). A wait of -1 says that a window's borders do not fit the clock,
-- and has the time as its mark.
--
-- A key outlives its bucket's time to full by at most a second; a bucket that is full again needs no key.
-- A bucket with a burst of 0 is paused: nothing is taken from its group, and it is left as it is.
-- Every time is a whole number below 2^53, so Lua's doubles hold it exactly, and '%.0f' writes all its digits, as long as
-- burst x interval is under 228 years; beyond, sums are off by less than a millisecond.

local LONGEST_LEAD = 1000000
local floor, max, min, format, find = math.floor, math.max, math.min, string.format, string.find
local call, tonumber, KEYS = redis.call, tonumber, KEYS

local asked = ARGV[1]
local _, at, now, gifts = find(asked, '^(%d*) (%d+)') -- `at` is where what was read ends
now = tonumber(now)
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- Writes a bucket; returns its mark.
local function keep(key, tat)
  local mark = format('%.0f', tat)
  call('SET', key, mark, 'PX', floor((tat - now) / 1000) + 1000)
  return mark
end

-- Other kinds have functions that are made only where they are asked about: that takes time, too.
local look, undo, refuse, wake
if kinds then look, undo, refuse, wake = kinds(now) end
local extra = #KEYS -- where the next one of the extra keys is

local key = 0
for _ = 1, tonumber(gifts) do
  local _, to, mark, back = find(asked, '^ (%d+) (%d+)', at + 1)
  key = key + 1
  if not to then
    at, extra = undo(at, KEYS[key], extra)
  else
    at = to
    if call('GET', KEYS[key]) == mark then
      local tat = mark - back
      if tat > now then
        keep(KEYS[key], tat)
      else
        call('DEL', KEYS[key])
      end
    end
  end
end

local reply, size = {}, 0
local last = #asked
-- Of each bucket of a take: when its next token can be taken (from), its interval, its time to full behind that (depth),
-- whether it was further ahead than it may be (cut): written even if nothing is taken, or it would never come nearer;
-- and whether it has feedback (adaptive).
local from, interval, depth, cut, adaptive = {}, {}, {}, {}, {}
-- What was found of buckets of other kinds; nil while there are none.
local others
while at < last do
  local _, to, buckets, count, ready, horizon = find(asked, '^ (%d+) (%d+) (%d+) (%d+)', at + 1)
  at, buckets, count, ready, horizon = to, tonumber(buckets), tonumber(count), tonumber(ready), tonumber(horizon)
  local most = count
  for i = 1, buckets do
    local _, to, every, burst = find(asked, '^ (%d+) (-?%d+)', at + 1)
    if to then
      at, every, burst = to, tonumber(every), tonumber(burst)
      local deep, paused = (burst - 1) * every, 0
      adaptive[i] = burst < 0
      if adaptive[i] then
        burst = -burst
        local known = adapted(KEYS[extra])
        extra = extra - 1
        -- A bucket is full after the same time at any rate: one that was slowed down holds fewer tokens.
        local whole = burst * every
        every = interval_of(known, now, every)
        deep, paused = max(0, whole - every), known and known.paused or 0
      end
      local kept = call('GET', KEYS[key + i]) or nil
      local tat = tonumber(kept) or kept and tonumber(kept:match('^%d+')) or now -- of one that was metered, the first number
      local farthest = now + deep + every + max(LONGEST_LEAD, horizon)
      if burst == 0 then farthest, most = now, 0 end
      cut[i] = tat > farthest and count > 0 and burst > 0
      tat = max(now, min(tat, farthest))
      if paused > 0 then tat = max(tat, paused + deep) end -- a bucket does not fill up while it is paused
      interval[i], depth[i] = every, deep
      from[i] = tat - deep
    else
      others = others or {}
      at, others[i], interval[i], adaptive[i], extra = look(at, KEYS[key + i], count, extra)
      depth[i], from[i] = 0, now + max(others[i].wait, others[i].paused)
    end
  end
  local taken = 0
  local head = size + 1
  size = head
  while taken < most do
    local slot = now
    for i = 1, buckets do
      if from[i] > slot then slot = from[i] end
    end
    if slot == now then
      if ready == 0 then break end
      ready = ready - 1
    elseif slot - now > horizon then
      break
    end
    taken = taken + 1
    size = size + 1
    reply[size] = format('%.0f', slot - now)
    for i = 1, buckets do
      -- The token is used at its slot: until then, a full bucket gets no more tokens.
      from[i] = max(from[i], slot - depth[i]) + interval[i]
    end
  end
  if others and taken == 0 and count > 0 then refuse(others, from, buckets) end
  reply[head] = taken
  for i = 1, buckets do
    local seen = others and others[i]
    if not seen then
      local tat = from[i] + depth[i]
      local mark = (taken > 0 or cut[i]) and keep(KEYS[key + i], tat) or format('%.0f', tat)
      reply[size + 1], reply[size + 2] = format('%.0f', max(0, from[i] - now)), mark
    elseif seen.unfit then
      reply[size + 1], reply[size + 2] = '-1', format('%.0f', now)
    else
      local wait, mark = seen.finish(taken > 0)
      reply[size + 1], reply[size + 2] = format('%.0f', max(wait, seen.paused)), mark
    end
    size = size + 2
    if adaptive[i] then
      size = size + 1
      reply[size] = format('%.0f', interval[i])
    end
  end
  key = key + buckets
  others = nil
end
if wake then wake() end
return table.concat(reply, ' ')
