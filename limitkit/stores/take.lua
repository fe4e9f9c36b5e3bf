-- Takes tokens from buckets, all or nothing in each group; gives slots back. The sums are those of limitkit/buckets/token_bucket.py.
--
-- KEYS   the buckets of the give-backs, then those of the takes, in order; then what buckets with feedback have learnt, the
--        last of these buckets first
-- ARGV   1  now in microseconds, or '' for the server's clock
--        2  number of give-backs; for each: mark, microseconds to go back
--        then for each take: number of buckets, count, ready, horizon (us), and for each bucket: interval (us), burst,
--        which is negative for a bucket with feedback
-- Returns one flat array of whole numbers; for each take: number of slots, the slots (us from now), and for each
-- bucket: wait (us), mark, and with feedback the interval in force (us).
--
-- A key outlives its bucket's time to full by at most a second; a bucket that is full again needs no key.
-- A bucket with a burst of 0 is paused: nothing is taken from its group, and it is left as it is.
-- Every time is a whole number below 2^53, so Lua's doubles hold it exactly, and '%.0f' writes all its digits, as long as
-- burst x interval is under 228 years; beyond, sums are off by less than a millisecond.

local LONGEST_LEAD = 1000000
local floor, max, min, format = math.floor, math.max, math.min, string.format
local call = redis.call

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end

local key, arg = 0, 2
for _ = 1, tonumber(ARGV[2]) do
  key = key + 1
  local mark, back = ARGV[arg + 1], tonumber(ARGV[arg + 2])
  arg = arg + 2
  if call('GET', KEYS[key]) == mark then
    local tat = mark - back
    if tat > now then
      call('SET', KEYS[key], format('%.0f', tat), 'PX', floor((tat - now) / 1000) + 1000)
    else
      call('DEL', KEYS[key])
    end
  end
end

local reply, size = {}, 0
local last, learnt_key = #ARGV, #KEYS
while arg < last do
  local buckets, count, ready, horizon =
    tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3]), tonumber(ARGV[arg + 4])
  arg = arg + 4
  -- Bucket i: when its next token can be taken (from), its interval, its time to full behind that (depth), whether it was
  -- further ahead than it may be (cut): written even if the take is refused, or it would never come nearer; and whether it
  -- has feedback (yields).
  local from, interval, depth, cut, yields = {}, {}, {}, {}, {}
  local most = count
  for i = 1, buckets do
    local every, burst = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
    arg = arg + 2
    local deep, paused = (burst - 1) * every, 0
    if burst < 0 then
      yields[i], burst = true, -burst
      local known = learnt(KEYS[learnt_key])
      learnt_key = learnt_key - 1
      -- A bucket is full after the same time at any rate: one that was slowed down holds as many tokens less.
      local whole = burst * every
      every = interval_of(known, now, every)
      deep, paused = max(0, whole - every), known and known.paused or 0
    end
    local tat = tonumber(call('GET', KEYS[key + i]) or nil) or now
    local farthest = now + deep + every + max(LONGEST_LEAD, horizon)
    if burst == 0 then farthest, most = now, 0 end
    cut[i] = tat > farthest and count > 0 and burst > 0
    tat = max(now, min(tat, farthest))
    if paused > 0 then tat = max(tat, paused + deep) end -- what is paused has not been filling up meanwhile
    interval[i], depth[i] = every, deep
    from[i] = tat - deep
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
    reply[size] = slot - now
    for i = 1, buckets do
      -- The token goes at its slot: a bucket that is full by then has not been filling up meanwhile.
      from[i] = max(from[i], slot - depth[i]) + interval[i]
    end
  end
  reply[head] = taken
  for i = 1, buckets do
    local tat = from[i] + depth[i]
    if taken > 0 or cut[i] then
      call('SET', KEYS[key + i], format('%.0f', tat), 'PX', floor((tat - now) / 1000) + 1000)
    end
    reply[size + 1], reply[size + 2] = max(0, from[i] - now), tat
    size = size + 2
    if yields[i] then
      size = size + 1
      reply[size] = interval[i]
    end
  end
  key = key + buckets
end
return reply
