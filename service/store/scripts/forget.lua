-- Delete a value if it is still the one that the caller saw.
--
-- KEYS  key
-- ARGV  value
-- Returns 1 if it was deleted, else 0
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
