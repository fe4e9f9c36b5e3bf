-- Comes before the scripts that need the slots of concurrency limits. The arithmetic is that of limitkit/buckets/slots.py.
--
-- Kept is a sorted set: the name of a start -> the end of its lease (us); and, for a moment, another of those who wait
-- for a free slot: channel -> until when (us).

local function add_slots(looks, _, now)
  local POLL, PATIENCE, MOST_WOKEN = 1000000, 2000000, 8
  local floor, max, min, format = math.floor, math.max, math.min, string.format
  local call = redis.call

  local function live(key)
    call('ZREMRANGEBYSCORE', key, '-inf', format('%.0f', now))
    return call('ZCARD', key)
  end

  function looks.s(key, ask)
    local burst, member, waiter, line = ask.burst, ask.member, ask.waiter, ask.line
    local running = live(key)
    local has = call('ZSCORE', key, member)
    local poll = burst == 0 and ask.every or POLL
    local full = not has and running >= burst
    return {
      wait = full and poll or 0,
      finish = function(taken)
        if taken then
          call('ZADD', key, format('%.0f', now + ask.span), member)
          local kept = floor(ask.span / 1000) + 1000
          if call('PTTL', key) < kept then call('PEXPIRE', key, format('%.0f', kept)) end
          if not has then running = running + 1 end
        elseif full and ask.count > 0 and waiter ~= '' then
          call('ZADD', line, format('%.0f', now + PATIENCE), waiter)
          call('PEXPIRE', line, PATIENCE / 1000)
        end
        if taken or full then return running < burst and 0 or poll, format('%.0f', running) end
        return 0, format('%.0f', running)
      end,
    }
  end

  -- Wakes the first of those who wait, one more than there are free slots: one of them may have no use for it by now.
  function looks.wake(key, line, burst)
    if call('ZCARD', line) == 0 then return end
    local free = burst - live(key)
    if free <= 0 then return end
    call('ZREMRANGEBYSCORE', line, '-inf', format('%.0f', now))
    for _, waiter in ipairs(call('ZRANGE', line, 0, format('%.0f', min(free, MOST_WOKEN)))) do
      call('ZREM', line, waiter)
      redis.pcall('PUBLISH', waiter, key) -- a user without the right to publish still gets the slots
    end
  end
end
