-- All blocks of a sealed copy.
-- KEYS: 1 the fence
-- ARGV: 1 `site day`; 2 from; 3 to
-- Answer: 1 whether the copy stands, as 1 or 0; 2 of each block `from to rows bytes characters` and body
local state = redis.call('HGET', KEYS[1], 'state')
local prefix = string.sub(KEYS[1], 1, -2) .. (state or '') .. ':'
local packed = state and redis.call('HGET', prefix .. 'm', ARGV[1])
if not packed or not findCopy(parse(packed), ARGV[2], ARGV[3]) then return { 0, {} } end
local blocks = {}
for _, place in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'p:' .. ARGV[1], ARGV[2], '(' .. ARGV[3])) do
  blocks[#blocks + 1] = place
  blocks[#blocks + 1] = redis.call('HGET', prefix .. 'b:' .. ARGV[1], string.match(place, '^%S+'))
end
return { 1, blocks }
