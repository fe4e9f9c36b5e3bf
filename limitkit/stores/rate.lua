-- Comes before the scripts that need the adaptive rate of a bucket. The arithmetic is that of limitkit/buckets/adaptive_rate.py.

local HOLD, TAIL = 0.4, 0.4

-- A bucket's adapted rate, with the names of Adapted there; nil when there were no refusals.
local function adapted(key)
  local kept = redis.call('GET', key)
  if not kept then return nil end
  local all = {}
  for number in kept:gmatch('%S+') do
    all[#all + 1] = tonumber(number)
  end
  return {
    paused = all[1], since = all[2], low = all[3], plateau = all[4], climb = all[5], ceiling = all[6],
    round = all[7], row = all[8], first = all[9],
  }
end

-- Tokens a second.
local function rate(known, now)
  local part, found = math.max(0, now - known.since) / known.climb, nil
  if part < 1 then
    local missing = 1 - part
    found = known.plateau - (known.plateau - known.low) * (missing * missing * missing)
  else
    local beyond = math.max(0, part - 1 - HOLD) / TAIL
    found = known.plateau * (1 + beyond * beyond * beyond)
  end
  return math.min(found, known.ceiling)
end

local function interval_of(known, now, own)
  if not known or known.plateau == 0 then return own end
  return math.max(own, math.ceil(1000000 / rate(known, now)))
end
