-- What is going on at a site.
-- KEYS: 1 the fence
-- ARGV: 1 the site; 2 since when
-- Answer: 1 how many visitors were seen after it; 2 minute and `pageviews events visits` of all minutes that are held
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { 0, {} } end
local prefix = string.sub(KEYS[1], 1, -2) .. state .. ':'
return { redis.call('ZCOUNT', prefix .. 'rt:' .. ARGV[1], '(' .. ARGV[2], '+inf'), redis.call('HGETALL', prefix .. 'min:' .. ARGV[1]) }
