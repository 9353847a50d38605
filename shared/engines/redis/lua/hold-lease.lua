-- Takes or prolongs a lease.
-- KEYS: 1 the lease
-- ARGV: 1 the holder; 2 for how many milliseconds
-- Answer: 1, or 0 when somebody else has it
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
