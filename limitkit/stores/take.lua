-- Takes tokens from buckets, all or nothing in each group; gives slots back. The sums are those of limitkit/bucket.py.
--
-- KEYS   the buckets of the give-backs, then those of the takes, in order
-- ARGV   1  now in microseconds, or '' for the server's clock
--        2  number of give-backs; for each: mark, microseconds to go back
--        then for each take: number of buckets, count, ready, horizon (us), and for each bucket: interval (us), burst
-- Returns one flat array of whole numbers; for each take: number of slots, the slots (us from now), and for each
-- bucket: wait (us), mark.
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
local last = #ARGV
while arg < last do
  local buckets, count, ready, horizon =
    tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3]), tonumber(ARGV[arg + 4])
  arg = arg + 4
  -- Bucket i: when its next token can be taken (from), its interval, its time to full behind that (depth), and whether
  -- it was further ahead than it may be (cut): written even if the take is refused, or it would never come nearer.
  local from, interval, depth, cut = {}, {}, {}, {}
  local most = count
  for i = 1, buckets do
    local every, burst = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
    arg = arg + 2
    local tat = tonumber(call('GET', KEYS[key + i]) or nil) or now
    local farthest = now + burst * every + max(LONGEST_LEAD, horizon)
    if burst == 0 then farthest, most = now, 0 end
    cut[i] = tat > farthest and count > 0 and burst > 0
    tat = max(now, min(tat, farthest))
    interval[i], depth[i] = every, (burst - 1) * every
    from[i] = tat - depth[i]
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
  end
  key = key + buckets
end
return reply
