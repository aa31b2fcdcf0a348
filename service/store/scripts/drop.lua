-- Forget a dead letter; its run, if it had one, is recorded as dropped by a person.
--
-- KEYS  dead, dead letter key, the run's ledger (or any key if the letter holds no run)
-- ARGV  dead letter id · '1' if there is a run · ledger ttl ms
-- Returns 1, or 0 if the letter is gone already: its run may be under way again, and is left alone.
if redis.call('DEL', KEYS[2]) == 0 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
if ARGV[2] == '1' then
  redis.call('HSET', KEYS[3], 'state', 'dropped')
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return 1
