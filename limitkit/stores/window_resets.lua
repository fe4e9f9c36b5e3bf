-- Comes before the scripts that need windows that reset. The arithmetic is that of limitkit/buckets/group.py.
--
-- Kept is 'begin count'.

local function add_resets(looks, recounts, now)
  local floor, max, format = math.floor, math.max, string.format
  local call, find = redis.call, string.find

  -- Returns the window's begin and its count. One that begins later than this clock says was written before the clock
  -- was set back, or the window had other borders: it goes on.
  local function counted(key, begin)
    local kept = call('GET', key)
    local _, _, was, count = find(kept or '', '^(%d+) (%d+)$')
    was = tonumber(was)
    if was and was >= begin then return was, tonumber(count) end
    return begin, 0
  end

  function looks.c(key, ask)
    local first, over, next_over = ask.first, ask.over, ask.next_over
    if now >= over then first, over, next_over = over, next_over, next_over end
    if now < first or now >= over then return { wait = 1, unfit = true } end
    local begin, count = counted(key, first)
    local function wait()
      if ask.limit == 0 then return ask.every end
      local full = count > max(0, ask.limit - ask.cost)
      return (full or now >= over - ask.span) and over - now or 0
    end
    local before = wait()
    return {
      wait = before,
      finish = function(taken)
        if not taken then return before, format('%.0f', count) end
        count = count + ask.cost
        local last = begin > first and next_over or over
        call('SET', key, format('%.0f %.0f', begin, count), 'PX', format('%.0f', floor((last - now) / 1000) + 1000))
        return wait(), format('%.0f', begin)
      end,
    }
  end

  function recounts.c(key, _, more, mark)
    local begin, count = (call('GET', key) or ''):match('^(%d+) (%d+)$')
    local left = call('PTTL', key)
    if begin == mark and left > 0 then
      call('SET', key, format('%s %.0f', begin, max(0, count + more)), 'PX', format('%.0f', left))
    end
  end
end
