-- Add a block of executions to the reading that we are making, and go on being its reader.
--
-- KEYS  snapshot, reading
-- ARGV  now | '' · our number · lock ms · place of the block | '' for none · block · the keys to find it by, 8 bytes each
-- Returns 1, or 0 if we are the reader no more: then nothing is kept.
local now = clock(ARGV[1])
local reader = redis.call('HMGET', KEYS[1], 'reader', 'reader_until')
if reader[1] ~= ARGV[2] or tonumber(reader[2]) <= now then return 0 end
redis.call('HSET', KEYS[1], 'reader_until', now + tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if ARGV[4] == '' then return 1 end
redis.call('HSET', KEYS[2], 'b' .. ARGV[4], ARGV[5])
local place, parts = struct.pack('>I4', tonumber(ARGV[4])), {}
for at = 1, #ARGV[6], 8 do
  local key = string.sub(ARGV[6], at, at + 7)
  local shard = (string.byte(key, 1) * 256 + string.byte(key, 2)) % 1024
  parts[shard] = (parts[shard] or '') .. key .. place
end
for shard, part in pairs(parts) do
  redis.call('HSET', KEYS[2], 'i' .. shard, (redis.call('HGET', KEYS[2], 'i' .. shard) or '') .. part)
end
return 1
