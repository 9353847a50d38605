-- Writes a change of rollup and moves the fence, if the fence is the one the change was made from and every block has a base at or below it.
-- KEYS: 1 the fence; then every other key it may write, so that a Cluster that moves the slot refuses the script as a whole
-- ARGV: 1–3 gen, next, src that must stand; 4 the state; 5–9 gen, topic, next, src, logTime to write; then four lists, each behind its length:
--   `site day`, base below which rows of it were left out;
--   site, day, base if known (else empty), how many blocks, and of each from, to, rows, bytes, characters, body;
--   site, minute, pageviews, events, visits;
--   site, how many visitors, and of each when it was seen, and the visitor
-- Answer: done | stale | state NAME, where another state stands: nothing was written then
local was = redis.call('HMGET', KEYS[1], 'gen', 'next', 'src', 'state')
if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] or was[3] ~= ARGV[3] then return { 'stale' } end
if was[4] ~= ARGV[4] then return { 'state', was[4] } end
local prefix = string.sub(KEYS[1], 1, -2) .. ARGV[4] .. ':'

local place = 9
local function take()
  place = place + 1
  return ARGV[place]
end

-- All is looked at before the first write: a script is not rolled back.
for _ = 1, tonumber(take()) do
  local packed = redis.call('HGET', prefix .. 'm', take())
  local skipped = tonumber(take())
  if packed and parse(packed).base < skipped then return { 'stale' } end
end

local groups = {}
for i = 1, tonumber(take()) do
  local site, day, given, count = take(), take(), take(), tonumber(take())
  local name = site .. ' ' .. day
  local packed = redis.call('HGET', prefix .. 'm', name)
  local record = packed and parse(packed)
  if not record then
    if given == '' then return { 'stale' } end
    record = { base = tonumber(given), rows = 0, bytes = 0, copies = {} }
  end
  for at = place + 1, place + 6 * count, 6 do
    if tonumber(ARGV[at]) < record.base then return { 'stale' } end
    if redis.call('HEXISTS', prefix .. 'b:' .. name, ARGV[at]) == 1 then
      return redis.error_reply('ERR a block of ' .. name .. ' stands at ' .. ARGV[at] .. ' already')
    end
  end
  groups[i] = { site = site, day = day, name = name, record = record, first = place + 1, last = place + 6 * count }
  place = place + 6 * count
end

-- The fence first: where memory is full, Redis refuses a script at its first write, and none after that.
redis.call('HSET', KEYS[1], 'gen', ARGV[5], 'topic', ARGV[6], 'next', ARGV[7], 'src', ARGV[8], 'logTime', ARGV[9])

for _, group in ipairs(groups) do
  local record = group.record
  for at = group.first, group.last, 6 do
    if record.rows == 0 then
      -- It begins now: after the fence that stood before the batch with the first of its rows.
      record.first, record.firstSrc, record.born = tonumber(was[2]), tonumber(was[3]), tonumber(ARGV[9])
    end
    record.rows = record.rows + tonumber(ARGV[at + 2])
    record.bytes = record.bytes + tonumber(ARGV[at + 3])
    redis.call('HSET', prefix .. 'b:' .. group.name, ARGV[at], ARGV[at + 5])
    redis.call('ZADD', prefix .. 'p:' .. group.name, ARGV[at], table.concat(ARGV, ' ', at, at + 4))
  end
  put(prefix, group.name, record)
  redis.call('ZADD', prefix .. 'd:' .. group.site, group.day, group.day)
end

for _ = 1, tonumber(take()) do
  local site, minute = take(), take()
  local key = prefix .. 'min:' .. site
  local sums = {}
  for one in string.gmatch(redis.call('HGET', key, minute) or '0 0 0', '%S+') do
    sums[#sums + 1] = text(tonumber(one) + tonumber(take()))
  end
  redis.call('HSET', key, minute, table.concat(sums, ' '))
  redis.call('SADD', prefix .. 'live', site)
end

for _ = 1, tonumber(take()) do
  local site, count = take(), tonumber(take())
  local last = place + 2 * count
  -- In pieces: Lua's stack holds some 8,000 values.
  for from = place + 1, last, 1000 do
    redis.call('ZADD', prefix .. 'rt:' .. site, 'GT', unpack(ARGV, from, math.min(from + 999, last)))
  end
  place = last
  redis.call('SADD', prefix .. 'live', site)
end
return { 'done' }
