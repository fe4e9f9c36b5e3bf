-- Comes before the scripts that need sliding windows of many starts. The arithmetic is that of limitkit/buckets/window.py.
--
-- Kept is 'length part total current older': `length` is that of each of 60 parts (us), `part` the number of the newest
-- one since 1970, `total` what all count, `current` what the newest one counts, and `older` what the 60 before it count,
-- newest first. A part that still overlaps the window counts whole.

local function add_parts(looks, recounts, now)
  local PARTS = 60
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
end
