-- Writes a fence where there is none, or instead of the one that is meant: what stood under that one is another state from then on, which no
-- script looks at any more and which is deleted later, in small steps.
-- KEYS: 1 the fence; 2 the set of states to delete
-- ARGV: 1 name of the state to begin; 2 the fence's second position (`ev` or `src`); 3–5 gen, next and second position of the fence to
--   replace, empty for none; then fields and values of the new fence
-- Answer: fields and values of the fence that stands afterwards
local was = redis.call('HMGET', KEYS[1], 'gen', 'next', ARGV[2], 'state')
if was[1] then
  if was[1] ~= ARGV[3] or was[2] ~= ARGV[4] or was[3] ~= ARGV[5] then return redis.call('HGETALL', KEYS[1]) end
  redis.call('SADD', KEYS[2], was[4])
end
redis.call('HSET', KEYS[1], 'state', ARGV[1], unpack(ARGV, 6))
return redis.call('HGETALL', KEYS[1])
