-- What waits: records with sealed copies, and records whose memtable is due by age, rows or bytes.
-- KEYS: 1 the fence
-- ARGV: 1 rows; 2 bytes; 3 born; 4 at most how many of those that are due
-- Answer: 1 `site day` and record of those with copies; 2 of those that are due, the oldest first; 3 when the oldest of all was begun
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { {}, {}, {} } end
local prefix = string.sub(KEYS[1], 1, -2) .. state .. ':'

local function add(list, name)
  list[#list + 1] = name
  list[#list + 1] = redis.call('HGET', prefix .. 'm', name)
end

local sealed, due, known, limit = {}, {}, {}, tonumber(ARGV[4])
for _, name in ipairs(redis.call('SMEMBERS', prefix .. 'sealed')) do add(sealed, name) end
local function addDue(index, min, max)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', prefix .. index, min, max, 'LIMIT', 0, limit)) do
    if not known[name] and #due < 2 * limit then
      known[name] = true
      add(due, name)
    end
  end
end
addDue('born', '-inf', ARGV[3])
addDue('rows', ARGV[1], '+inf')
addDue('bytes', ARGV[2], '+inf')
local oldest = redis.call('ZRANGE', prefix .. 'born', 0, 0, 'WITHSCORES')
return { sealed, due, { oldest[2] } }
