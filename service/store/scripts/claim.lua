-- Take up to `n` due lanes, each under a lease of its own.
--
-- KEYS  ready, leases, owners, lease number
-- ARGV  now | '' · lease ms · n · lane prefix · run prefix
-- Returns per lane: {lane, lease number, lease until, {member, occurred_at, flat ledger, runs}}. A lane found empty is dropped.
local keys = {ready = KEYS[1], leases = KEYS[2], owners = KEYS[3]}
local now, lease, lane_prefix, run_prefix = clock(ARGV[1]), tonumber(ARGV[2]), ARGV[4], ARGV[5]
local taken = {}
for _, lane in ipairs(redis.call('ZRANGEBYSCORE', keys.ready, '-inf', now, 'LIMIT', 0, ARGV[3])) do
  redis.call('ZREM', keys.ready, lane)
  local first = head(lane, lane_prefix, run_prefix)
  if first then
    -- The counter alone would not do: a Redis that is killed may forget its last second, and count it again.
    local number = now .. '-' .. redis.call('INCR', KEYS[4])
    redis.call('HSET', keys.owners, lane, number)
    redis.call('ZADD', keys.leases, now + lease, lane)
    taken[#taken + 1] = {lane, number, tostring(now + lease), first}
  end
end
return taken
