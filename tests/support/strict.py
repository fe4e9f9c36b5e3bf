"""A Redis as strict as some are: no script that a client has registered touches a key that it has not named.

Such servers refuse what is not named; a plain Redis does not. So each script is sent with a few lines before it, which
look at its own calls on a real server. They also refuse what arrives otherwise than it was meant, or not everywhere: a
number with a fraction in an answer (Redis cuts it off), and calls or lists of very many arguments.
"""

from pathlib import Path

from redis.commands.core import Script

PACKAGE = Path(__file__).parents[2] / "limitkit"
SCRIPTS = sorted(PACKAGE.rglob("*.lua"))
RAN = "strict:ran"
"""A set of the names of the scripts that have run to their end."""
MOST_ARGUMENTS = 3000

_FIRST = """
get set hmget zadd zrem zcard zscore zrank zcount zrange zrangebyscore zremrangebyscore zremrangebyrank zlexcount
zrangebylex zremrangebylex zscan zincrby hget hset hdel hexists hgetall hlen hincrby sadd srem scard sismember
smembers lindex llen lpush rpush lrange lrem rpush lpop rpop expire pexpire persist ttl pttl incr incrby
"""
"""Commands of which the first argument is a key, and no other."""
_CHECKED = """
local MOST, named = %(most)d, {}
for _, key in ipairs(KEYS) do named[key] = true end
local first, none = {}, { time = true, publish = true }
local every = { del = true, unlink = true, exists = true, touch = true }
for name in ('%(first)s'):gmatch('%%S+') do first[name] = true end

local function checked(call)
  return function(command, ...)
    local name, given = command:lower(), { ... }
    if #given > MOST then error('strict: ' .. name .. ' with ' .. #given .. ' arguments', 0) end
    local keys = every[name] and given or first[name] and { given[1] } or none[name] and {}
    if not keys then error('strict: it is not known which arguments of ' .. name .. ' are keys', 0) end
    for _, key in ipairs(keys) do
      if not named[key] then error('strict: ' .. name .. ' of the key ' .. key .. ', which is not in KEYS', 0) end
    end
    return call(command, ...)
  end
end

local function check_answer(answer)
  local kind = type(answer)
  if kind == 'table' and not answer.ok then
    local size = 0
    for _ in pairs(answer) do size = size + 1 end
    if size ~= #answer then error('strict: an answer that ends at a nil, or has names', 0) end
    for _, each in ipairs(answer) do check_answer(each) end
  elseif kind == 'number' and (answer ~= math.floor(answer) or math.abs(answer) > 2 ^ 53) then
    error('strict: an answer with the number ' .. answer, 0)
  elseif kind == 'boolean' then
    error('strict: an answer with a boolean', 0)
  end
end

local function whole(redis, unpack)
  %(script)s
end

if #KEYS + #ARGV > MOST then error('strict: called with ' .. #KEYS + #ARGV .. ' arguments', 0) end
local own = { call = checked(redis.call), pcall = checked(redis.pcall) }
local answer = whole(setmetatable(own, { __index = redis }), function(list)
  if #list > MOST then error('strict: a list of ' .. #list .. ' is unpacked', 0) end
  return unpack(list)
end)
check_answer(answer)
for name in ('%(names)s'):gmatch('%%S+') do redis.call('SADD', '%(ran)s', name) end
return answer
"""


def make_strict(monkeypatch):
    """Have all clients of redis-py check the scripts that they register from now on."""
    monkeypatch.setattr("redis.client.Redis.register_script", lambda client, text: Script(client, checked(text)))


def named(file):
    """Return what a script is called here: its room and its name."""
    return str(file.relative_to(PACKAGE))


def checked(text):
    """Return a script that does the same, and raises where a strict server would."""
    names = [named(file) for file in SCRIPTS if file.read_text("ascii") in text]
    parts = {"script": text, "first": " ".join(_FIRST.split()), "most": MOST_ARGUMENTS, "ran": RAN}
    return _CHECKED % {**parts, "names": " ".join(names)}
