-- Ends the function that take.lua calls if it is asked about other limits than plain token buckets: it reads from the
-- question what is asked of those. See take.lua for KEYS and ARGV.

local asked, find, max, floor = ARGV[1], string.find, math.max, math.floor
local looks, recounts, freed = {}, {}, {}
local given = 2 -- the last argument that was read
local makers = { m = add_metered, w = add_parts, x = add_times, c = add_resets, s = add_slots }

local function prepare(kind)
  if not looks[kind] then makers[kind](looks, recounts, now) end
end

-- Gives back. Returns where that ends in the question, and where the next of the extra keys is.
local function undo(at, key, extra)
  local _, to, kind, mark, count, own, span, burst = find(asked, '^ (%a) (%d+) (%d+) (%d+) (%d+) (%d+)', at + 1)
  prepare(kind)
  if kind == 's' then
    given = given + 1
    redis.call('ZREM', key, ARGV[given])
    freed[#freed + 1] = { key, KEYS[extra], tonumber(burst) }
    return to, extra - 1
  end
  if kind == 'm' then
    recounts.undo(key, mark, count, own)
  else
    recounts[kind](key, { span = tonumber(span) }, -count, mark)
  end
  return to, extra
end

-- Looks at a bucket. Returns where that ends in the question, what was found (`wait`, `paused`, `finish`), its interval
-- in force, whether it has feedback, and where the next of the extra keys is.
local function look(at, key, count, extra)
  local _, to, kind, own, burst, cost, span = find(asked, '^ (%a) (%d+) (-?%d+) (%d+) (%d+)', at + 1)
  own, burst = tonumber(own), tonumber(burst)
  local ask = { own = own, every = own, cost = tonumber(cost), span = tonumber(span), paused = 0, count = count }
  local adaptive = burst < 0
  if adaptive then
    burst = -burst
    local known = adapted(KEYS[extra])
    extra = extra - 1
    ask.every, ask.paused = interval_of(known, now, own), known and known.paused or 0
  end
  ask.burst, ask.limit = burst, burst
  if ask.every > own then ask.limit = max(1, floor(burst * own / ask.every)) end
  if kind == 's' then
    ask.line, ask.member, ask.waiter = KEYS[extra], ARGV[given + 1], ARGV[given + 2]
    extra, given = extra - 1, given + 2
  elseif kind == 'c' then
    local first, over, next_over
    _, to, first, over, next_over = find(asked, '^ (%d+) (%d+) (%d+)', to + 1)
    ask.first, ask.over, ask.next_over = tonumber(first), tonumber(over), tonumber(next_over)
  end
  prepare(kind)
  local seen = looks[kind](key, ask)
  seen.paused, seen.is_slot = max(0, ask.paused - now), kind == 's'
  return to, seen, ask.every, adaptive, extra
end

-- Says for how long the slowest limit refuses a start, so that the others may have its tokens left to it; `from` has when
-- each lets it start. Nobody knows when a slot will be free: until then, none has. Where only others' claims refuse it,
-- it gives way in the limits that would let it start: those others may wait for it there.
local function refuse(others, from, buckets)
  local longest, gives_way = 0, true
  for i = 1, buckets do
    local seen = others[i]
    if seen and seen.is_slot and seen.wait > 0 then return end
    longest = max(longest, from[i] - now)
    if seen and seen.is_metered then
      gives_way = gives_way and not seen.is_short and seen.paused == 0
    else
      gives_way = gives_way and from[i] <= now
    end
  end
  for i = 1, buckets do
    if others[i] then others[i].longest, others[i].gives_way = longest, gives_way end
  end
end

local function wake()
  for _, each in ipairs(freed) do looks.wake(unpack(each)) end
end

return look, undo, refuse, wake
