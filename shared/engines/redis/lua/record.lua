-- No script: stands before those that know what a record is. The record of a site's day is `base first firstSrc rows bytes born`, its
-- memtable, and below it a line `from to first firstSrc rows at` for each sealed copy. It lies in the hash `m`; zsets and sets about it only
-- say where to look: `rows`, `bytes` and `born` of memtables that have rows, `first` (the lowest of a record), `sealed` (records with copies).

-- Lua itself would write 1e+15.
local function text(number) return string.format('%.0f', number) end

local function parse(packed)
  local lines = {}
  for line in string.gmatch(packed, '[^\n]+') do
    local numbers = {}
    for one in string.gmatch(line, '%S+') do numbers[#numbers + 1] = tonumber(one) end
    lines[#lines + 1] = numbers
  end
  local m, copies = lines[1], {}
  for i = 2, #lines do
    local c = lines[i]
    copies[i - 1] = { from = c[1], to = c[2], first = c[3], firstSrc = c[4], rows = c[5], at = c[6] }
  end
  return { base = m[1], first = m[2], firstSrc = m[3], rows = m[4], bytes = m[5], born = m[6], copies = copies }
end

local function join(numbers)
  for i = 1, #numbers do numbers[i] = text(numbers[i]) end
  return table.concat(numbers, ' ')
end

local function pack(r)
  local lines = { join({ r.base, r.first, r.firstSrc, r.rows, r.bytes, r.born }) }
  for _, c in ipairs(r.copies) do lines[#lines + 1] = join({ c.from, c.to, c.first, c.firstSrc, c.rows, c.at }) end
  return table.concat(lines, '\n')
end

-- The fence before the batch that brought the oldest rows of a record: its `next` and `src`, nil without rows.
local function lowest(r)
  local low
  if r.rows > 0 then low = r end
  for _, c in ipairs(r.copies) do
    if not low or c.first < low.first then low = c end
  end
  if low then return low.first, low.firstSrc end
end

-- Where among a record's copies one is.
local function findCopy(r, from, to)
  for i, c in ipairs(r.copies) do
    if c.from == tonumber(from) and c.to == tonumber(to) then return i end
  end
end

local function score(key, name, number)
  if number then redis.call('ZADD', key, text(number), name) else redis.call('ZREM', key, name) end
end

local function put(prefix, name, r)
  redis.call('HSET', prefix .. 'm', name, pack(r))
  local hasRows = r.rows > 0
  score(prefix .. 'rows', name, hasRows and r.rows)
  score(prefix .. 'bytes', name, hasRows and r.bytes)
  score(prefix .. 'born', name, hasRows and r.born)
  score(prefix .. 'first', name, (lowest(r)))
  redis.call(#r.copies > 0 and 'SADD' or 'SREM', prefix .. 'sealed', name)
end

