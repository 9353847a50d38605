-- Records of sites' days, whose bases are known where there is one.
-- KEYS: 1 the fence
-- ARGV: `site day` of each
-- Answer: the record of each, nil where there is none; empty without a fence
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return {} end
local key, records = string.sub(KEYS[1], 1, -2) .. state .. ':m', {}
for i = 1, #ARGV do records[i] = redis.call('HGET', key, ARGV[i]) end
return records
