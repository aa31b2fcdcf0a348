-- Extend leases that still hold, and the holds on Sakari records that go with them, so that both end together.
--
-- KEYS  leases, owners
-- ARGV  now | '' · lease ms · hold ms · then per lease (one at least): lane, lease number, fence of the record that it holds | ''
-- Returns the lanes whose lease did not hold any more: their holder must drop them.
local keys = {leases = KEYS[1], owners = KEYS[2]}
local now, lanes, lost = clock(ARGV[1]), {}, {}
for i = 4, #ARGV, 3 do lanes[#lanes + 1] = ARGV[i] end
local held = leased(lanes, keys, now)
for i = 4, #ARGV, 3 do
  local lane, number, fence = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if held[lane] == number then
    redis.call('ZADD', keys.leases, now + tonumber(ARGV[2]), lane)
    local busy = fence ~= '' and redis.call('HGET', fence, '@busy')
    -- It may have been let go of while this call was on its way.
    if busy and string.match(busy, '^(%S+)') == number then
      redis.call('HSET', fence, '@busy', number .. ' ' .. (now + tonumber(ARGV[3])))
    end
  else
    lost[#lost + 1] = lane
  end
end
return lost
