-- Stop reading, and tell those who wait why, for a while.
--
-- KEYS  snapshot, reading
-- ARGV  now | '' · our number · what failed | '' · for how long that is told, ms
-- Returns 1, or 0 if we are the reader no more.
local now = clock(ARGV[1])
if redis.call('HGET', KEYS[1], 'reader') ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], 'reader', 'reader_until', 'reader_begun')
redis.call('UNLINK', KEYS[2])
if ARGV[3] ~= '' then
  redis.call('HSET', KEYS[1], 'failed', ARGV[3], 'failed_until', now + tonumber(ARGV[4]))
end
return 1
