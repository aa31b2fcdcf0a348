-- Look something up in the newest reading of a campaign; or be told that it failed, is under way, or is ours to do.
--
-- KEYS  snapshot
-- ARGV  now | '' · fresh ms · prefix of readings · number that a reading of ours would have · lock ms
--       then the keys to look up, of 8 bytes each; none: the whole campaign
-- Returns {'found', reading, number of blocks, block of executions …} | {'failed', what} | {'busy'} | {'ours'}.
-- A reading is fresh for as long as was asked for, counted from its start; or for as long again as it took, if that is
-- longer: of a campaign that takes a minute to read, nobody could ever get one that is younger than a minute.
local now, prefix = clock(ARGV[1]), ARGV[3]
local seen = redis.call('HMGET', KEYS[1], 'current', 'begun', 'took', 'blocks', 'reader_until', 'failed_until', 'failed',
  'reader')
local current, blocks = seen[1], seen[4]

if current and redis.call('EXISTS', prefix .. current) == 1 then
  local left = tonumber(seen[2]) + math.max(tonumber(ARGV[2]), 2 * tonumber(seen[3])) - now
  if left >= 0 then
    local reading = prefix .. current
    if redis.call('PTTL', reading) < left then redis.call('PEXPIRE', reading, left + 1000) end
    local wanted = {}
    for i = 6, #ARGV do
      local key, at = ARGV[i], 1
      local shard = (string.byte(key, 1) * 256 + string.byte(key, 2)) % 1024
      local index = redis.call('HGET', reading, 'i' .. shard) or ''
      while true do
        at = string.find(index, key, at, true)
        if not at then break end
        if at % 12 == 1 then
          wanted[struct.unpack('>I4', index, at + 8)] = true
          at = at + 12
        else
          at = at + 1
        end
      end
    end
    local places = {}
    for place in pairs(wanted) do places[#places + 1] = place end
    table.sort(places)
    local answer = {'found', current, blocks}
    for _, place in ipairs(places) do answer[#answer + 1] = redis.call('HGET', reading, 'b' .. place) end
    return answer
  end
end

if seen[6] and tonumber(seen[6]) > now then return {'failed', seen[7]} end
if seen[5] and tonumber(seen[5]) > now and seen[8] ~= ARGV[4] then return {'busy'} end
redis.call('HSET', KEYS[1], 'reader', ARGV[4], 'reader_until', now + tonumber(ARGV[5]), 'reader_begun', now)
redis.call('PEXPIRE', KEYS[1], 90000000)
redis.call('HSET', prefix .. ARGV[4], '@', now)
redis.call('PEXPIRE', prefix .. ARGV[4], ARGV[5])
return {'ours'}
