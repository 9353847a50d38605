-- Deletes a part of a state that was given up. May be repeated; a part that is gone already is no harm.
-- KEYS: 1 the set of states to delete; then keys of the state
-- ARGV: 1 the state; 2 `last` when nothing of it is left after these keys
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
if ARGV[2] == 'last' then redis.call('SREM', KEYS[1], ARGV[1]) end
return 'done'
