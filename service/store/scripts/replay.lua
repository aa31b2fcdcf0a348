-- Add a run to an event that was accepted before, unless its run key is known: waiting in the lane, or with a ledger.
-- A dead run may be replaced: by who has seen its ledger, and only while its dead letter is still there.
--
-- KEYS  ready, owners, dead, arq queue, the lane, the run's ledger, the event's replayed rules
-- ARGV  now | '' · lane · occurred_at · event id · run key · run · rule · version of the rule set · replayed ttl ms
--       ended_at of the dead run that is replaced | '' · dead letter prefix · dead letter id of the run
--       dead letter id of the rule (if it could not be planned before: the run takes its place)
--       ticket job · ticket ttl ms · lanes per ticket · most tickets
-- Returns 1 if the run was added, 0 if its key is known.
local now, lane, occurred_at, event, key, ended_at = clock(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[10]
local letter_prefix = ARGV[11]

-- Forget a dead letter; was it there?
local function bury_no_more(id)
  redis.call('ZREM', KEYS[3], id)
  return redis.call('DEL', letter_prefix .. id) == 1
end

if ended_at == '' then
  if redis.call('EXISTS', KEYS[6]) == 1 then return 0 end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], occurred_at, occurred_at)) do
    if string.match(member, '^%S+ (%S+) ') == key then return 0 end
  end
else
  local found = redis.call('HMGET', KEYS[6], 'state', 'ended_at')
  if found[1] ~= 'dead' or found[2] ~= ended_at or not bury_no_more(ARGV[12]) then return 0 end
  redis.call('DEL', KEYS[6])
end
bury_no_more(ARGV[13])
redis.call('HSET', KEYS[7], ARGV[7], ARGV[8])
redis.call('PEXPIRE', KEYS[7], ARGV[9])
local ms, seq = string.match(event, '^(%d+)-(%d+)$')
local order = string.format('%013d-%06d-%03d ', ms, seq, redis.call('HLEN', KEYS[7]))
redis.call('ZADD', KEYS[5], occurred_at, order .. key .. ' ' .. ARGV[6])
if redis.call('HEXISTS', KEYS[2], lane) == 0 then redis.call('ZADD', KEYS[1], 'NX', now, lane) end
ring({job = ARGV[14], ttl = ARGV[15], width = tonumber(ARGV[16]), most = tonumber(ARGV[17]), queue = KEYS[4]}, 1)
return 1
