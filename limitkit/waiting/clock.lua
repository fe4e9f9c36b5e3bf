-- The time of the waiting room; put before each script that needs it.
--
-- It is the server's time, but never goes back: else, after a failover, all that is parked would wait longer.
local function clock(key)
  local time = redis.call('TIME')
  local seconds = time[1] + time[2] / 1000000
  local last, ahead = string.match(redis.call('GET', key) or '0 0', '(%S+) (%S+)')
  local behind = last - seconds - ahead
  if behind > 1 then ahead = ahead + behind end
  if math.abs(behind) > 1 then
    redis.call('SET', key, string.format('%.6f %.6f', seconds + ahead, ahead))
  end
  return seconds + ahead
end
