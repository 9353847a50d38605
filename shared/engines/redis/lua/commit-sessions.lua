-- Writes a change and moves the fence, if the fence is the one the change was made from.
-- KEYS: 1 the fence; then the buckets of the change, all of them, so that a Cluster that moves the slot refuses the script as a whole
-- ARGV: 1–3 gen, next, ev that must stand; 4 the state the buckets are of; 5–10 gen, topic, next, ev, logTime, mode to write; then for each
--   bucket how many fields to drop, these, how many to write, and these with their values
-- Answer: done | stale | state NAME, where another state stands: nothing was written then
local was = redis.call('HMGET', KEYS[1], 'gen', 'next', 'ev', 'state')
if was[1] ~= ARGV[1] or was[2] ~= ARGV[2] or was[3] ~= ARGV[3] then return { 'stale' } end
if was[4] ~= ARGV[4] then return { 'state', was[4] } end

-- The fence first: where memory is full, Redis refuses a script at its first write, and none after that.
redis.call('HSET', KEYS[1], 'gen', ARGV[5], 'topic', ARGV[6], 'next', ARGV[7], 'ev', ARGV[8], 'logTime', ARGV[9], 'mode', ARGV[10])

-- In pieces: Lua's stack holds some 8,000 values.
local function inPieces(command, key, first, last)
  for from = first, last, 1000 do redis.call(command, key, unpack(ARGV, from, math.min(from + 999, last))) end
end

local at = 11
for i = 2, #KEYS do
  local last = at + tonumber(ARGV[at])
  inPieces('HDEL', KEYS[i], at + 1, last)
  at = last + 1
  last = at + 2 * tonumber(ARGV[at])
  inPieces('HSET', KEYS[i], at + 1, last)
  at = last + 1
end
return { 'done' }
