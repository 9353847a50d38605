-- First and last day, of the positive ones, that a site has blocks of.
-- KEYS: 1 the fence
-- ARGV: 1 the site
-- Answer: both, or nothing
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return {} end
local key = string.sub(KEYS[1], 1, -2) .. state .. ':d:' .. ARGV[1]
local first = redis.call('ZRANGEBYSCORE', key, '(0', '+inf', 'LIMIT', 0, 1)
local last = redis.call('ZREVRANGEBYSCORE', key, '+inf', '(0', 'LIMIT', 0, 1)
return { first[1], last[1] }
