-- Comes before the scripts that need windows. The arithmetic is that of limitkit/buckets/window.py.
--
-- w  a sliding window in 60 parts: 'length part total current older', where `length` is that of one part (us), `part`
--    the number of the newest one since 1970, `total` what all count, `current` what the newest one counts, and `older`
--    what the 60 before it count, newest first. A part that still overlaps the window counts whole.
-- x  a sliding window of few starts: a list of their times (us), newest last.
-- c  a window that resets: 'begin count'.

local function add_windows(looks, recounts, now)
  local PARTS, AT_ONCE = 60, 1000
  local ZERO = string.rep(' 0', PARTS)
  local ceil, floor, max, min, format = math.ceil, math.floor, math.max, math.min, string.format
  local call, find, rep = redis.call, string.find, string.rep

  local function numbers_in(older)
    local numbers = {}
    for number in older:gmatch('%d+') do numbers[#numbers + 1] = tonumber(number) end
    return numbers
  end

  -- Counts what was counted in parts of another length: each part at its end, so that it never goes too soon.
  local function with_length(length, was, at, current, older)
    local part = floor(max(now, at * was) / length)
    local counts, total = {}, 0
    local numbers = numbers_in(older)
    for back = 0, PARTS do
      local number = back == 0 and current or numbers[back]
      local away = part - min(part, floor(((at - back + 1) * was - 1) / length))
      if number > 0 and away <= PARTS then
        counts[away] = (counts[away] or 0) + number
        total = total + number
      end
    end
    local texts = {}
    for away = 1, PARTS do texts[away] = format(' %.0f', counts[away] or 0) end
    return part, total, counts[0] or 0, table.concat(texts)
  end

  -- Returns the newest part (never before the one that was written), the total, its count, and those of the others.
  local function read(key, length)
    local part, kept = floor(now / length), call('GET', key)
    if not kept then return part, 0, 0, ZERO end
    local _, _, was, at, total, current, older = find(kept, '^(%d+) (%d+) (%d+) (%d+)(.*)$')
    was, at, total, current = tonumber(was), tonumber(at), tonumber(total), tonumber(current)
    if was ~= length then return with_length(length, was, at, current, older) end
    if part <= at then return at, total, current, older end
    local on = part - at
    if on > PARTS then return part, 0, 0, ZERO end
    for _ = 1, on do
      local _, _, rest, last = find(older, '^(.*) (%d+)$')
      older, total = rest, total - last
    end
    return part, total, 0, rep(' 0', on - 1) .. format(' %.0f', current) .. older
  end

  local function keep(key, length, part, total, current, older)
    local text = format('%.0f %.0f %.0f %.0f%s', length, part, total, current, older)
    call('SET', key, text, 'PX', format('%.0f', floor((part * length + (PARTS + 1) * length - now) / 1000) + 1000))
  end

  -- Microseconds until no more than `most` are counted.
  local function until_most(most, length, part, total, older)
    if total <= most then return 0 end
    local numbers = numbers_in(older)
    for back = PARTS, 1, -1 do
      total = total - numbers[back]
      if total <= most then return (part - back + PARTS + 1) * length - now end
    end
    return (part + PARTS + 1) * length - now
  end

  function looks.w(key, ask)
    local length, most = ceil(ask.span / PARTS), max(0, ask.limit - ask.cost)
    local part, total, current, older = read(key, length)
    local function wait()
      return ask.limit == 0 and ask.every or until_most(most, length, part, total, older)
    end
    local before = wait()
    return {
      wait = before,
      finish = function(taken)
        if not taken then return before, format('%.0f', total) end
        total, current = total + ask.cost, current + ask.cost
        keep(key, length, part, total, current, older)
        return wait(), format('%.0f', max(now, part * length))
      end,
    }
  end

  function recounts.w(key, ask, more, mark)
    local length = ceil(ask.span / PARTS)
    local part, total, current, older = read(key, length)
    local back = more > 0 and 0 or part - floor(mark / length)
    if back < 0 or back > PARTS then return end
    if back == 0 then
      more = max(more, -current)
      current = current + more
    else
      local numbers = numbers_in(older)
      more = max(more, -numbers[back])
      numbers[back] = numbers[back] + more
      for each = 1, PARTS do numbers[each] = format(' %.0f', numbers[each]) end
      older = table.concat(numbers)
    end
    if more ~= 0 then keep(key, length, part, total + more, current, older) end
  end

  local function add_times(key, count, span)
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
        local time, size = add_times(key, count, span)
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
      add_times(key, min(more, max(1, ask.limit)), ask.span)
    else
      call('LREM', key, format('%.0f', more), mark)
    end
  end

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
