-- Reads the overrides in the store, and which config files workers use.
--
-- KEYS   1 overrides (hash: field -> end in microseconds, or 0, newline, text; and '#' -> the version)
--        2 files (sorted set: digest -> when a worker with this file looked last, in microseconds)
--        3 declared (hash: digest -> what that file declares, as text)
-- ARGV   1  now in microseconds, or '' for the server's clock
--        2  the version that the caller knows, or ''
--        3  the digest of the caller's own file, or '' when it only reads
--        4  what that file declares, or '' when the store knows it
--        5  the digest of the file that the caller has used until now, or '': workers that still use it note it again
--        then the digests of files whose declarations are wanted
-- Returns the version ('' when there never was an override, or the data is lost), now, whether the declarations of the
-- own file are known (1 or 0), the digests of all files in use, the declarations wanted, and field and value of each
-- override; no overrides if the caller knows this version.

local LATELY = 15000000
local call = redis.call
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
end
local own = ARGV[3]

if own ~= '' then
  call('ZADD', KEYS[2], string.format('%.0f', now), own)
  call('PEXPIRE', KEYS[2], 4 * LATELY / 1000)
  if ARGV[4] ~= '' then call('HSET', KEYS[3], own, ARGV[4]) end
  call('PEXPIRE', KEYS[3], 4 * LATELY / 1000)
end
for _, gone in ipairs(call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - LATELY))) do
  call('ZREM', KEYS[2], gone)
  call('HDEL', KEYS[3], gone)
end

if ARGV[5] ~= '' then
  call('ZREM', KEYS[2], ARGV[5])
  call('HDEL', KEYS[3], ARGV[5])
end

local declared = {}
for at = 6, #ARGV do
  declared[#declared + 1] = call('HGET', KEYS[3], ARGV[at]) or ''
end

local version = call('HGET', KEYS[1], '#') or ''
local posted = {}
if version ~= ARGV[2] then
  local all = call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do
    local ends = tonumber(string.match(all[at + 1], '^(%d+)\n') or 0)
    if ends > 0 and ends <= now then
      call('HDEL', KEYS[1], all[at])
    elseif all[at] ~= '#' then
      posted[#posted + 1] = all[at]
      posted[#posted + 1] = all[at + 1]
    end
  end
end

local known = own == '' and 1 or call('HEXISTS', KEYS[3], own)
return { version, string.format('%.0f', now), known, call('ZRANGE', KEYS[2], 0, -1), declared, posted }
