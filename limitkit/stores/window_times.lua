-- Comes before the scripts that need sliding windows of few starts. The arithmetic is that of limitkit/buckets/window.py.
--
-- Kept is a list of the times of starts (us), newest last.

local function add_times(looks, recounts, now)
  local AT_ONCE = 1000
  local floor, max, min, format = math.floor, math.max, math.min, string.format
  local call = redis.call

  local function add(key, count, span)
    local newest = tonumber(call('LINDEX', key, -1) or nil) or now
    local time, times, size = format('%.0f', max(now, newest)), {}, 0
    for each = 1, min(count, AT_ONCE) do times[each] = time end
    for left = count, 1, -AT_ONCE do size = call('RPUSH', key, unpack(times, 1, min(left, AT_ONCE))) end
    call('PEXPIRE', key, format('%.0f', floor((max(now, newest) - now + span) / 1000) + 1000))
    return time, size
  end

  function looks.x(key, ask)
    local span, limit, nth = ask.span, ask.limit, max(1, ask.limit - ask.cost + 1)
    local newest = tonumber(call('LINDEX', key, -1) or nil) or now
    local at = max(now, newest)
    -- A start may be when the one before it that would be too much is out of the window.
    local function wait()
      if limit == 0 then return ask.every end
      local first = tonumber(call('LINDEX', key, -nth) or nil)
      return first and first + span > at and first + span - now or 0
    end
    local function counted()
      local size = call('LLEN', key)
      local low, high = 0, size
      while low < high do
        local middle = floor((low + high) / 2)
        if call('LINDEX', key, middle) + span > at then high = middle else low = middle + 1 end
      end
      return size - low
    end
    local before = wait()
    return {
      wait = before,
      finish = function(taken)
        if not taken then return before, format('%.0f', counted()) end
        -- More than the limit count like the limit: nothing may start until they are out of the window, all at once.
        local count = min(ask.cost, limit)
        local time, size = add(key, count, span)
        for _ = 0, count do
          if size <= limit or call('LINDEX', key, 0) + span > at then break end
          call('LPOP', key)
          size = size - 1
        end
        return wait(), time
      end,
    }
  end

  function recounts.x(key, ask, more, mark)
    if more > 0 then
      add(key, min(more, max(1, ask.limit)), ask.span)
    else
      call('LREM', key, format('%.0f', more), mark)
    end
  end
end
