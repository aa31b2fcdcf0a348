-- Make the reading that we have finished the current one, in one stroke. The one before it stays for whoever reads it now.
--
-- KEYS  snapshot, reading
-- ARGV  now | '' · our number · fresh ms of whoever asked · number of blocks · prefix of readings
-- Returns 1, or 0 if we are the reader no more.
local now = clock(ARGV[1])
local seen = redis.call('HMGET', KEYS[1], 'reader', 'reader_until', 'reader_begun', 'current')
if seen[1] ~= ARGV[2] or tonumber(seen[2]) <= now then return 0 end
local took = now - tonumber(seen[3])
redis.call('HSET', KEYS[1], 'current', ARGV[2], 'begun', seen[3], 'took', took, 'blocks', ARGV[4])
redis.call('HDEL', KEYS[1], 'reader', 'reader_until', 'reader_begun', 'failed', 'failed_until')
redis.call('PEXPIRE', KEYS[1], 90000000)
redis.call('PEXPIRE', KEYS[2], math.max(tonumber(ARGV[3]) - took, took) + 1000)
if seen[4] then redis.call('PEXPIRE', ARGV[5] .. seen[4], 10000) end
return 1
