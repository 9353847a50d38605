-- Makes a sealed copy of a memtable, or of its first blocks that come to so many bytes. No block is moved.
-- KEYS: 1 the fence; then every key it may write
-- ARGV: 1 the state; 2 `site day`; 3 the time of the seal; 4 bytes
-- Answer: sealed, from, to, rows | none | state NAME, where another state stands
local fence = redis.call('HMGET', KEYS[1], 'next', 'state')
if not fence[1] then return { 'none' } end
if fence[2] ~= ARGV[1] then return { 'state', fence[2] } end
local prefix, name, next = string.sub(KEYS[1], 1, -2) .. ARGV[1] .. ':', ARGV[2], tonumber(fence[1])
local packed = redis.call('HGET', prefix .. 'm', name)
local record = packed and parse(packed)
if not record or record.rows == 0 or next <= record.base then return { 'none' } end

-- What goes into the copy: `to` is the fence when all blocks do.
local function takeBlocks(enough)
  local to, rows, bytes, min = record.base, 0, 0, text(record.base)
  while true do
    local places = redis.call('ZRANGEBYSCORE', prefix .. 'p:' .. name, min, '+inf', 'LIMIT', 0, 500)
    if #places == 0 then return next, rows, bytes end
    for _, place in ipairs(places) do
      if bytes >= enough then return to, rows, bytes end
      local from, blockTo, blockRows, blockBytes = string.match(place, '^(%S+) (%S+) (%S+) (%S+)')
      to, rows, bytes, min = tonumber(blockTo), rows + tonumber(blockRows), bytes + tonumber(blockBytes), '(' .. from
    end
  end
end

local to, rows, bytes = takeBlocks(tonumber(ARGV[4]))
local copy = { from = record.base, to = to, first = record.first, firstSrc = record.firstSrc, rows = rows, at = tonumber(ARGV[3]) }
record.copies[#record.copies + 1] = copy
record.base = to
record.rows = to == next and 0 or record.rows - rows
record.bytes = to == next and 0 or math.max(0, record.bytes - bytes)
put(prefix, name, record)
return { 'sealed', text(copy.from), text(to), text(rows) }
