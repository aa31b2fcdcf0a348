-- May this step write to this Sakari record now, and which attributes of it?
-- Holds the record for one writer, so that two lanes that write to one record cannot overtake each other between the look
-- at the fence and the write. The hold ends with record.lua, or by itself after `hold ms` unless renew.lua extends it.
-- If anything may be written, the caller asks to be let in to Sakari at the same time; who is to come later holds nothing.
--
-- KEYS  leases, owners, the run's ledger, the record's fence, the account, the names of all accounts
-- ARGV  now | '' · lane · lease number · hold ms · fence ttl ms · ledger field · ledger value · ledger ttl ms
--       An empty ledger field writes nothing to the ledger.
--       what is asked of the account, as in prelude_admit.lua: seven arguments; an empty first one asks nothing
--       then per attribute: its name, the occurred_at of its value
-- Returns {'lost'} | {'busy', until ms} | {'go', the answer of `admit` | '' if it was not asked, attributes whose fence is
--         not newer …}
local keys = {leases = KEYS[1], owners = KEYS[2]}
local now, lane, number = clock(ARGV[1]), ARGV[2], ARGV[3]
if not holds(lane, number, keys, now) then return {'lost'} end
local fence = KEYS[4]
local asked = {'@busy'}
for i = 16, #ARGV, 2 do asked[#asked + 1] = ARGV[i] end
local kept = redis.call('HMGET', fence, unpack(asked))
if kept[1] then
  local holder, until_ms = string.match(kept[1], '^(%S+) (%S+)$')
  if holder ~= number and tonumber(until_ms) > now then return {'busy', until_ms} end
end
local answer = {'go', ''}
for i = 2, #asked do
  if not kept[i] or tonumber(kept[i]) <= tonumber(ARGV[2 * i + 13]) then answer[#answer + 1] = asked[i] end
end
if #answer > 2 and ARGV[9] ~= '' then
  answer[2] = admit({KEYS[5], KEYS[6]}, {unpack(ARGV, 9, 15)}, now)
  if answer[2][1] == 'later' then return answer end
end
if #answer > 2 then
  redis.call('HSET', fence, '@busy', number .. ' ' .. (now + tonumber(ARGV[4])))
  redis.call('PEXPIRE', fence, ARGV[5])
end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[6], ARGV[7])
  redis.call('PEXPIRE', KEYS[3], ARGV[8])
end
return answer
