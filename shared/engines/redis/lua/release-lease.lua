-- Gives up a lease.
-- KEYS: 1 the lease
-- ARGV: 1 the holder; nothing happens when somebody else has it
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 'done'
