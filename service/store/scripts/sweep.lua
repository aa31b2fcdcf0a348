-- Put lanes whose lease ran out back to ready, and ring for lanes that are due. Run every second by one of the workers.
--
-- KEYS  ready, leases, owners, arq queue
-- ARGV  now | '' · lane prefix · most lanes to recover · ticket job · ticket ttl ms · lanes per ticket · most tickets
--       late ms: a lane that has been due for this long gets a ticket of its own, whatever tickets exist. Tickets of a
--       killed worker are taken by another when their lease runs out, and must not hold up the lanes meanwhile.
-- Returns {lanes recovered, tickets rung, lanes due, ms for which the oldest has been due}
local keys = {ready = KEYS[1], leases = KEYS[2], owners = KEYS[3]}
local now, lane_prefix = clock(ARGV[1]), ARGV[2]
local bell = {job = ARGV[4], ttl = ARGV[5], width = tonumber(ARGV[6]), most = tonumber(ARGV[7]), queue = KEYS[4]}
local expired = redis.call('ZRANGEBYSCORE', keys.leases, '-inf', now, 'LIMIT', 0, ARGV[3])
end_leases(expired, keys)
for _, lane in ipairs(expired) do put_back(lane, keys, lane_prefix, now) end
local due = redis.call('ZCOUNT', keys.ready, '-inf', now)
local rung, age = 0, 0
if due > 0 then
  rung = ring(bell, due)
  age = now - tonumber(redis.call('ZRANGE', keys.ready, 0, 0, 'WITHSCORES')[2])
  if rung == 0 and age >= tonumber(ARGV[8]) then
    if enqueue(bell, 'drain:late:' .. math.floor(now / 1000)) then rung = 1 end
  end
end
return {#expired, rung, due, age}
