-- Put the run of a dead letter back into its lane, at its old place, and forget the letter. The ledger counts `retries`, and
-- keeps when the last one was. The tallies count a run by its last end: this death is taken out of the minute it was in.
--
-- KEYS  ready, owners, dead, arq queue, the run's ledger, the lane, prefix of the tallies
-- ARGV  now | '' · dead letter key · dead letter id · lane · occurred_at · member
--       ticket job · ticket ttl ms · lanes per ticket · most tickets · then ledger pairs
-- Returns 1, or 0 if the letter is gone already (retried or dropped by somebody else).
local now = clock(ARGV[1])
if redis.call('DEL', ARGV[2]) == 0 then return 0 end
local died_at = redis.call('ZSCORE', KEYS[3], ARGV[3])
local tallied = died_at and KEYS[7] .. string.format('%d', math.floor(died_at / 60000))
if tallied and redis.call('HEXISTS', tallied, 'run dead') == 1 then redis.call('HINCRBY', tallied, 'run dead', -1) end
redis.call('ZREM', KEYS[3], ARGV[3])
redis.call('ZADD', KEYS[6], ARGV[5], ARGV[6])
redis.call('HINCRBY', KEYS[5], 'retries', 1)
redis.call('HSET', KEYS[5], 'retried_at', now)
for i = 11, #ARGV, 2 do redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1]) end
if redis.call('HEXISTS', KEYS[2], ARGV[4]) == 0 then redis.call('ZADD', KEYS[1], 'NX', now, ARGV[4]) end
ring({job = ARGV[7], ttl = ARGV[8], width = tonumber(ARGV[9]), most = tonumber(ARGV[10]), queue = KEYS[4]}, 1)
return 1
