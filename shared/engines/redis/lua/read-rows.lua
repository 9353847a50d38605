-- A page of the blocks of one site on some days, by `from` and then by day, with the fence and the records of all these days.
-- KEYS: 1 the fence
-- ARGV: 1 the site; 2–3 first and last day; 4–5 `from` and day of the block before the page; 6 after how many characters the page ends
-- Answer: 1 fields and values of the fence, empty without one; 2 day and record of each day with blocks; 3 of each block day, `from to rows
--   bytes characters`, body; 4 `from` and day of the last block when more follow, else empty
local fence = redis.call('HGETALL', KEYS[1])
if #fence == 0 then return { fence, {}, {}, {} } end
local prefix = string.sub(KEYS[1], 1, -2) .. redis.call('HGET', KEYS[1], 'state') .. ':'
local site, afterFrom, afterDay, enough = ARGV[1], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])

-- The next place of a day that was not taken yet; `from`s of a day are all different.
local function look(day)
  if day.at > #day.places then
    day.places = redis.call('ZRANGEBYSCORE', prefix .. 'p:' .. day.name, day.min, '+inf', 'LIMIT', 0, 200)
    day.at = 1
    if #day.places == 0 then return nil end
    day.min = '(' .. string.match(day.places[#day.places], '^%S+')
  end
  return day.places[day.at], tonumber(string.match(day.places[day.at], '^%S+'))
end

local records, days = {}, {}
for _, day in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'd:' .. site, ARGV[2], ARGV[3])) do
  local name = site .. ' ' .. day
  records[#records + 1] = day
  records[#records + 1] = redis.call('HGET', prefix .. 'm', name)
  local min = tonumber(day) > afterDay and afterFrom or '(' .. afterFrom
  days[#days + 1] = { day = day, name = name, places = {}, at = 1, min = min }
end

-- Days come in order: of two blocks with one `from` the one of the earlier day is found first.
local function lowest()
  local low, lowPlace, lowFrom
  for _, day in ipairs(days) do
    local place, from = look(day)
    if place and (not low or from < lowFrom) then low, lowPlace, lowFrom = day, place, from end
  end
  return low, lowPlace, lowFrom
end

local blocks, characters, last = {}, 0, {}
while true do
  local day, place, from = lowest()
  if not day then return { fence, records, blocks, {} } end
  if #blocks > 0 and characters >= enough then return { fence, records, blocks, last } end
  local key = string.match(place, '^%S+')
  blocks[#blocks + 1] = day.day
  blocks[#blocks + 1] = place
  blocks[#blocks + 1] = redis.call('HGET', prefix .. 'b:' .. day.name, key)
  characters = characters + tonumber(string.match(place, '%S+$'))
  last = { key, day.day }
  day.at = day.at + 1
end
