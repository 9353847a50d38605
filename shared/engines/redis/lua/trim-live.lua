-- Forgets visitors and minutes of some sites before a time. One that ends half-way is no harm: the next one goes on.
-- KEYS: 1 the fence
-- ARGV: 1 the time; 2 where to go on among the sites, 0 at first
-- Answer: where to go on, 0 after the last site
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return '0' end
local prefix = string.sub(KEYS[1], 1, -2) .. state .. ':'
local before = tonumber(ARGV[1])
local some = redis.call('SSCAN', prefix .. 'live', ARGV[2], 'COUNT', 500)
for _, site in ipairs(some[2]) do
  local seen, minutes = prefix .. 'rt:' .. site, prefix .. 'min:' .. site
  redis.call('ZREMRANGEBYSCORE', seen, '-inf', '(' .. ARGV[1])
  for _, minute in ipairs(redis.call('HKEYS', minutes)) do
    if tonumber(minute) < before then redis.call('HDEL', minutes, minute) end
  end
  if redis.call('EXISTS', seen, minutes) == 0 then redis.call('SREM', prefix .. 'live', site) end
end
return some[1]
