-- Comes before the scripts that need metered buckets. The arithmetic is that of limitkit/buckets/metered.py and claims.py.
--
-- Kept is 'tat interval ahead', and of each claim ' cost until': the interval is the bucket's own at that write, and
-- `ahead` what `tat` was ahead of the time by then (us); a claim has ended at `until` (us). A bucket that was not metered
-- when it was written has its tat alone.

local function add_metered(looks, recounts, now)
  local LONGEST_LEAD = 1000000
  local MOST_CLAIMS, SOON, GRACE, OTHERS, LEAST_WAIT = 8, 1000000, 1000000, 2000000, 10000
  local ceil, floor, max, min, format = math.ceil, math.floor, math.max, math.min, string.format
  local call = redis.call

  -- Returns the claims that have not ended: each a cost and its end; nil for none. One that ends too late is from before
  -- the clock was set back.
  local function live(text)
    local claims
    for cost, ends in text:gmatch(' (%d+) (%d+)') do
      ends = tonumber(ends)
      if now < ends and ends <= now + SOON + GRACE then
        claims = claims or {}
        claims[#claims + 1] = { tonumber(cost), ends }
      end
    end
    return claims
  end

  -- Returns the tat in force, whether it must be written, so that time counts at the new rate and on this clock, and the
  -- claims.
  local function read(key, own, most)
    local kept = call('GET', key)
    if not kept then return now, false end
    local _, _, tat, was, ahead, over = kept:find('^(%d+) ?(%d*) ?(%d*)()')
    local claims
    if over <= #kept then claims = live(kept:sub(over)) end
    local left = tat - now
    if left <= 0 then return now, false, claims end
    if was == '' then return now + min(left, most), left > most end
    local found, cut = min(left, tonumber(ahead)), left > tonumber(ahead)
    was = tonumber(was)
    if was ~= own then found, cut = ceil(found * own / was), true end -- as many tokens at the new rate
    return now + found, cut, claims
  end

  local function keep(key, tat, own, claims)
    if claims and claims[1] then
      tat = max(tat, now)
      local texts, last = { format('%.0f %.0f %.0f', tat, own, tat - now) }, tat
      for i = 1, #claims do
        texts[i + 1], last = format('%.0f %.0f', claims[i][1], claims[i][2]), max(last, claims[i][2])
      end
      call('SET', key, table.concat(texts, ' '), 'PX', format('%.0f', floor((last - now) / 1000) + 1000))
    elseif tat > now then
      local text = format('%.0f %.0f %.0f', tat, own, tat - now)
      call('SET', key, text, 'PX', format('%.0f', floor((tat - now) / 1000) + 1000))
    else
      call('DEL', key)
    end
  end

  -- Returns the wait of such a start, if it would be from `from` on without claims, and where in the line its own is: 0
  -- where it has none.
  local function behind(claims, from, cost, ask)
    local before, mine = 0, 0
    for i = 1, #claims do
      if claims[i][1] == cost then mine = i break end
      before = before + min(claims[i][1], ask.burst)
    end
    local wait = max(0, from + before * ask.every - now)
    return wait > 0 and before > 0 and max(wait, LEAST_WAIT) or wait, mine
  end

  function looks.m(key, ask)
    local own, every, burst, cost = ask.own, ask.every, ask.burst, ask.cost
    local whole = burst * own
    local deep = max(0, whole - every)
    if burst == 0 then
      local mark = format('%.0f', now)
      return { wait = every, is_short = true, is_metered = true, finish = function() return every, mark end }
    end
    local tat, cut, claims = read(key, own, deep + every + LONGEST_LEAD)
    if ask.paused > 0 then tat = max(tat, ask.paused + deep) end -- it does not fill up while it is paused
    local enough = max(0, whole - min(cost, burst) * every)
    local seen, mine = { wait = max(0, tat - enough - now) }, 0
    seen.is_short, seen.is_metered = seen.wait > 0, true
    if claims then seen.wait, mine = behind(claims, tat - enough, cost, ask) end
    function seen.finish(taken)
      local wait = seen.wait
      if taken then
        tat = max(tat, now) + cost * every
        if mine > 0 then table.remove(claims, mine) end
        wait = claims and behind(claims, tat - enough, cost, ask) or max(0, tat - enough - now)
      elseif seen.gives_way and wait == 0 and mine > 0 then
        if mine < #claims then claims[mine], claims[mine + 1] = claims[mine + 1], claims[mine] end
        cut = true
      elseif seen.longest and (wait > 0 or mine > 0) and seen.longest <= max(wait, OTHERS) then
        claims, cut = claims or {}, true
        if mine == 0 then mine = #claims + 1 end
        if mine <= MOST_CLAIMS then claims[mine] = { cost, now + min(wait, SOON) + GRACE } end
      end
      if taken or (cut and ask.count > 0) then keep(key, tat, own, claims) end
      return wait, format('%.0f', tat)
    end
    return seen
  end

  -- Takes `more` tokens, or gives them back when it is below zero; a paused bucket keeps the interval that it had.
  function recounts.m(key, ask, more)
    local own, every = ask.own, ask.every
    if ask.burst == 0 then
      local kept = call('GET', key)
      own = tonumber(kept and kept:match('^%d+ (%d+)') or nil) or own
      every = own
    end
    local tat, _, claims = read(key, own, max(0, ask.burst * own - every) + every + LONGEST_LEAD)
    keep(key, tat + more * every, own, claims)
  end

  -- Undoes the last take, if there was none since.
  function recounts.undo(key, mark, tokens, own)
    local kept = call('GET', key)
    local tat, was, text = (kept or ''):match('^(%d+) ?(%d*) ?%d*(.*)$')
    if tat == mark then keep(key, mark - tokens * own, tonumber(was) or own, live(text)) end
  end
end
