-- Drops what is old in some buckets, one after the other, until enough fields were looked at. A value begins with its log time.
-- KEYS: 1 the fence; then the buckets
-- ARGV: 1 the state they are of; 2 log time before which a value is old; 3 how many fields are enough
-- Answer: swept, how many buckets, fields looked at, fields dropped | state NAME, where another state stands | none, without a fence
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return { 'none' } end
if state ~= ARGV[1] then return { 'state', state } end
local before, enough = tonumber(ARGV[2]), tonumber(ARGV[3])
local buckets, looked, dropped = 0, 0, 0
for i = 2, #KEYS do
  if looked >= enough then break end
  local all = redis.call('HGETALL', KEYS[i])
  for at = 1, #all, 2 do
    looked = looked + 1
    if tonumber(string.match(all[at + 1], '^%S+')) < before then
      redis.call('HDEL', KEYS[i], all[at])
      dropped = dropped + 1
    end
  end
  buckets = buckets + 1
end
return { 'swept', buckets, looked, dropped }
