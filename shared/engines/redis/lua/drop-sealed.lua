-- Forgets a sealed copy and its blocks; nothing happens when it stands no more.
-- KEYS: 1 the fence; then every key it may write
-- ARGV: 1 the state; 2 site; 3 day; 4 from; 5 to
-- Answer: done | none | state NAME, where another state stands
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { 'none' } end
if state ~= ARGV[1] then return { 'state', state } end
local prefix, name = string.sub(KEYS[1], 1, -2) .. state .. ':', ARGV[2] .. ' ' .. ARGV[3]
local packed = redis.call('HGET', prefix .. 'm', name)
local record = packed and parse(packed)
local found = record and findCopy(record, ARGV[4], ARGV[5])
if not found then return { 'none' } end

table.remove(record.copies, found)
put(prefix, name, record)
local places = prefix .. 'p:' .. name
for _, place in ipairs(redis.call('ZRANGEBYSCORE', places, ARGV[4], '(' .. ARGV[5])) do
  redis.call('HDEL', prefix .. 'b:' .. name, string.match(place, '^%S+'))
end
redis.call('ZREMRANGEBYSCORE', places, ARGV[4], '(' .. ARGV[5])
if redis.call('EXISTS', places) == 0 then redis.call('ZREM', prefix .. 'd:' .. ARGV[2], ARGV[3]) end
return { 'done' }
