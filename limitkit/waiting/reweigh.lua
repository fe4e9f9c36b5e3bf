-- Has other weights hold for what is parked with fair_by: some buckets at a time. Doing it twice does no harm, since the
-- weight by which a value has its turn is kept beside it.
--
-- KEYS   1 due (see park.lua)  2 line (see line.lua)  3 turns (see turns.lua)
-- ARGV   1 cursor ('0' to begin)  2 about how many to look at  3 JSON: the limits' tags in the buckets' keys -> the digest of
--        each value -> its weight; others have 1
-- Returns the next cursor; '0' when all were looked at.

local call = redis.call
local queue = { line = KEYS[2], turns = KEYS[3] }
local wanted = cjson.decode(ARGV[3])
local scanned = call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
for at = 1, #scanned[2], 2 do
  local bucket = scanned[2][at]
  local weights = wanted[string.match(bucket, '{([^}]*)}')]
  if weights and call('HEXISTS', KEYS[3], bucket) == 1 then
    local from, to = turns_span(bucket)
    for _, each in ipairs(call('ZRANGEBYLEX', KEYS[2], from, to)) do
      local value = value_at(bucket, each)
      enlist(queue, bucket, value, weights[value] or 1)
    end
  end
end
return scanned[1]
