-- Deletes a part of a state that was given up. What says where keys are goes after them, so that it may end half-way and be repeated.
-- KEYS: 1 the fence; 2 the set of states to delete
-- Answer: how many states are left to delete
local state = redis.call('SRANDMEMBER', KEYS[2])
if not state then return 0 end
local prefix = string.sub(KEYS[1], 1, -2) .. state .. ':'
local records = redis.call('HSCAN', prefix .. 'm', 0, 'COUNT', 100)[2]
for i = 1, #records, 2 do
  local name = records[i]
  redis.call('UNLINK', prefix .. 'b:' .. name, prefix .. 'p:' .. name, prefix .. 'd:' .. string.match(name, '^%S+'))
  redis.call('HDEL', prefix .. 'm', name)
end
local sites = redis.call('SSCAN', prefix .. 'live', 0, 'COUNT', 100)[2]
for _, site in ipairs(sites) do
  redis.call('UNLINK', prefix .. 'rt:' .. site, prefix .. 'min:' .. site)
  redis.call('SREM', prefix .. 'live', site)
end
if redis.call('EXISTS', prefix .. 'm', prefix .. 'live') == 0 then
  for _, name in ipairs({ 'rows', 'bytes', 'born', 'first', 'sealed' }) do redis.call('UNLINK', prefix .. name) end
  redis.call('SREM', KEYS[2], state)
end
return redis.call('SCARD', KEYS[2])
