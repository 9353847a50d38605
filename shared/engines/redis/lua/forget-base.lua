-- Forgets the base of a site's day if it is low enough and nothing stands on it.
-- KEYS: 1 the fence; 2 the hash of the records
-- ARGV: 1 the state; 2 `site day`; 3 the highest base to forget
-- Answer: done | none | state NAME, where another state stands
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { 'none' } end
if state ~= ARGV[1] then return { 'state', state } end
local packed = redis.call('HGET', KEYS[2], ARGV[2])
local record = packed and parse(packed)
if not record or record.rows > 0 or #record.copies > 0 or record.base > tonumber(ARGV[3]) then return { 'none' } end
redis.call('HDEL', KEYS[2], ARGV[2])
return { 'done' }
