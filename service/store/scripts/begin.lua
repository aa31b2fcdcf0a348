-- May this step write to this Sakari record now, and which attributes of it?
-- Holds the record for one writer, so that two lanes that write to one record cannot overtake each other between the look
-- at the fence and the write. The hold ends with record.lua, or by itself after `hold ms`.
--
-- KEYS  leases, owners, the run's ledger, the record's fence
-- ARGV  now | '' · lane · lease number · hold ms · occurred_at · fence ttl ms · ledger field · ledger value · ledger ttl ms
--       then the attributes. An empty ledger field writes nothing to the ledger.
-- Returns {'lost'} | {'busy', until ms} | {'go', attributes whose fence is not newer …}
local keys = {leases = KEYS[1], owners = KEYS[2]}
local now, lane, number = clock(ARGV[1]), ARGV[2], ARGV[3]
if not holds(lane, number, keys, now) then return {'lost'} end
local fence, occurred_at = KEYS[4], tonumber(ARGV[5])
local busy = redis.call('HGET', fence, '@busy')
if busy then
  local holder, until_ms = string.match(busy, '^(%S+) (%S+)$')
  if holder ~= number and tonumber(until_ms) > now then return {'busy', until_ms} end
end
local answer = {'go'}
for i = 10, #ARGV do
  local newest = redis.call('HGET', fence, ARGV[i])
  if not newest or tonumber(newest) <= occurred_at then answer[#answer + 1] = ARGV[i] end
end
if #answer > 1 then
  redis.call('HSET', fence, '@busy', number .. ' ' .. (now + tonumber(ARGV[4])))
  redis.call('PEXPIRE', fence, ARGV[6])
end
if ARGV[7] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[7], ARGV[8])
  redis.call('PEXPIRE', KEYS[3], ARGV[9])
end
return answer
