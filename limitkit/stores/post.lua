-- Sets overrides, removes them, or puts back what the store has lost. It is atomic: when two operators set one limit
-- at once, one of the two settings holds, whole.
--
-- KEYS   1 overrides (see look.lua)
-- ARGV   1  now in microseconds, or '' for the server's clock
--        2  '' to set; else the version to put back, which happens only if the store has none
--        3  for each: field, microseconds until its end (when putting back, the time of its end; '' for none), and its
--        text ('' removes it) (JSON: there may be thousands, and they hold together)
-- Returns the version.

local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local last, lost = call('HGET', KEYS[1], '#'), ARGV[2]
if lost ~= '' and last then return last end

local posts = cjson.decode(ARGV[3])
for at = 1, #posts, 3 do
  local field, ends, text = posts[at], tonumber(posts[at + 1]) or 0, posts[at + 2]
  if text == '' then
    call('HDEL', KEYS[1], field)
  else
    if ends > 0 and lost == '' then ends = now + ends end
    call('HSET', KEYS[1], field, string.format('%.0f\n', ends) .. text)
  end
end
-- The time, and never the same twice: so overrides that were lost and set again count as new.
local version = lost ~= '' and lost or string.format('%.0f', math.max(now, (tonumber(last) or 0) + 1))
call('HSET', KEYS[1], '#', version)
return version
