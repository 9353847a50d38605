-- The fence and what is held of the fields asked for, in one read.
-- KEYS: 1 the fence
-- ARGV: for each bucket its name within the state, how many fields, and the fields
-- Answer: 1 fields and values of the fence, empty without one; 2 the value of each field in the order asked, nil where there is none
local fence = redis.call('HGETALL', KEYS[1])
if #fence == 0 then return { fence, {} } end
local prefix = string.sub(KEYS[1], 1, -2) .. redis.call('HGET', KEYS[1], 'state') .. ':'
local values, count, at = {}, 0, 1
while at <= #ARGV do
  local bucket, last = prefix .. ARGV[at], at + 1 + tonumber(ARGV[at + 1])
  -- In pieces: Lua's stack holds some 8,000 values.
  for from = at + 2, last, 1000 do
    local some = redis.call('HMGET', bucket, unpack(ARGV, from, math.min(from + 999, last)))
    for i = 1, #some do
      count = count + 1
      values[count] = some[i]
    end
  end
  at = last + 1
end
return { fence, values }
