-- The low mark: the fence, or what it was before the batch with the oldest rows that are hot.
-- KEYS: 1 the fence
-- Answer: next and src; empty without a fence
local fence = redis.call('HMGET', KEYS[1], 'next', 'src', 'state')
if not fence[1] then return {} end
local prefix = string.sub(KEYS[1], 1, -2) .. fence[3] .. ':'
local oldest = redis.call('ZRANGE', prefix .. 'first', 0, 0)[1]
if oldest then
  local first, firstSrc = lowest(parse(redis.call('HGET', prefix .. 'm', oldest)))
  if first < tonumber(fence[1]) then return { text(first), text(firstSrc) } end
end
return { fence[1], fence[2] }
