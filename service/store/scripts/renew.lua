-- Extend leases that still hold.
--
-- KEYS  leases, owners
-- ARGV  now | '' · lease ms · then per lease: lane, lease number
-- Returns the lanes whose lease did not hold any more: their holder must drop them.
local keys = {leases = KEYS[1], owners = KEYS[2]}
local now, lost = clock(ARGV[1]), {}
for i = 3, #ARGV, 2 do
  if holds(ARGV[i], ARGV[i + 1], keys, now) then
    redis.call('ZADD', keys.leases, now + tonumber(ARGV[2]), ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
