-- Take up to `n` due lanes, each under a lease of its own.
--
-- KEYS  ready, leases, owners, lease number
-- ARGV  now | '' · lease ms · n · lane prefix · run prefix
-- Returns per lane: {lane, lease number, {member, occurred_at, flat ledger, whether others wait behind}}. A lane found empty is dropped.
local keys = {ready = KEYS[1], leases = KEYS[2], owners = KEYS[3]}
local now, lease, lane_prefix, run_prefix = clock(ARGV[1]), tonumber(ARGV[2]), ARGV[4], ARGV[5]
local due = redis.call('ZRANGEBYSCORE', keys.ready, '-inf', now, 'LIMIT', 0, ARGV[3])
if #due == 0 then return {} end
redis.call('ZREM', keys.ready, unpack(due))
-- The counter alone would not do: a Redis that is killed may forget its last second, and count it again.
local count = redis.call('INCRBY', KEYS[4], #due) - #due
local taken, owners, leases = {}, {}, {}
for i, lane in ipairs(due) do
  local first = head(lane, lane_prefix, run_prefix)
  if first then
    local number = string.format('%d-%d', now, count + i)
    taken[#taken + 1] = {lane, number, first}
    owners[#owners + 1], owners[#owners + 2] = lane, number
    leases[#leases + 1], leases[#leases + 2] = now + lease, lane
  end
end
if #taken > 0 then
  redis.call('HSET', keys.owners, unpack(owners))
  redis.call('ZADD', keys.leases, unpack(leases))
end
return taken
