-- Comes before the scripts that need metered buckets. The arithmetic is that of limitkit/buckets/metered.py.
--
-- Kept is 'tat interval ahead': the interval is the bucket's own at that write, and `ahead` what `tat` was ahead of the
-- time by then (us). A bucket that was not metered when it was written has its tat alone.

local function add_metered(looks, recounts, now)
  local LONGEST_LEAD = 1000000
  local ceil, floor, max, min, format = math.ceil, math.floor, math.max, math.min, string.format
  local call = redis.call

  -- Returns the tat in force, and whether it must be written, so that time counts at the new rate and on this clock.
  local function read(key, own, most)
    local kept = call('GET', key)
    if not kept then return now, false end
    local _, _, tat, was, ahead = kept:find('^(%d+) ?(%d*) ?(%d*)$')
    local left = tat - now
    if left <= 0 then return now, false end
    if was == '' then return now + min(left, most), left > most end
    local found, cut = min(left, tonumber(ahead)), left > tonumber(ahead)
    was = tonumber(was)
    if was ~= own then found, cut = ceil(found * own / was), true end -- as many tokens at the new rate
    return now + found, cut
  end

  local function keep(key, tat, own)
    if tat > now then
      local text = format('%.0f %.0f %.0f', tat, own, tat - now)
      call('SET', key, text, 'PX', format('%.0f', floor((tat - now) / 1000) + 1000))
    else
      call('DEL', key)
    end
  end

  function looks.m(key, ask)
    local own, every, burst, cost = ask.own, ask.every, ask.burst, ask.cost
    local whole = burst * own
    local deep = max(0, whole - every)
    if burst == 0 then
      local mark = format('%.0f', now)
      return { wait = every, finish = function() return every, mark end }
    end
    local tat, cut = read(key, own, deep + every + LONGEST_LEAD)
    if ask.paused > 0 then tat = max(tat, ask.paused + deep) end -- it does not fill up while it is paused
    local enough = max(0, whole - min(cost, burst) * every)
    return {
      wait = max(0, tat - enough - now),
      finish = function(taken)
        if taken then tat = max(tat, now) + cost * every end
        if taken or (cut and ask.count > 0) then keep(key, tat, own) end
        return max(0, tat - enough - now), format('%.0f', tat)
      end,
    }
  end

  -- Takes `more` tokens, or gives them back when it is below zero; a paused bucket keeps the interval that it had.
  function recounts.m(key, ask, more)
    local own, every = ask.own, ask.every
    if ask.burst == 0 then
      local kept = call('GET', key)
      own = tonumber(kept and kept:match('^%d+ (%d+)') or nil) or own
      every = own
    end
    local tat = read(key, own, max(0, ask.burst * own - every) + every + LONGEST_LEAD)
    keep(key, tat + more * every, own)
  end

  -- Undoes the last take, if there was none since.
  function recounts.undo(key, mark, tokens, own)
    local kept = call('GET', key)
    local tat, was = (kept or ''):match('^(%d+) ?(%d*)')
    if tat == mark then keep(key, mark - tokens * own, tonumber(was) or own) end
  end
end
