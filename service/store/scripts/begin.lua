-- May these steps write to their Sakari records now, and which attributes of them? Of steps that wait together (rounds.py).
-- Holds each record for one writer, so that two lanes that write to one record cannot overtake each other between the look
-- at the fence and the write. A hold ends with record.lua, or by itself after `hold ms` unless renew.lua extends it.
-- If anything may be written, the caller asks to be let in to Sakari at the same time; who is to come later holds nothing.
--
-- KEYS  leases, owners, the account that is called, the names of all accounts
-- ARGV  now | '' · hold ms · fence ttl ms · ledger ttl ms · fence prefix · run prefix
--       what is asked on (`account_on` in prelude_admit.lua): four arguments
--       number of steps
--       then per step: lane · lease number · record · run key
--                      ledger field | '' if nothing is to be noted · ledger value
--                      caller | '' if nothing is asked of the account · standing · slot
--                      number of attributes, per attribute: its name, the occurred_at of its value
-- Returns per step: {'lost'} | {'busy', until ms}
--       | {'go', the answer of `admit` | '' if it was not asked, attributes whose fence is not newer …}
local keys = {leases = KEYS[1], owners = KEYS[2]}
local now, hold_ms, fence_ttl, ledger_ttl = clock(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local fence_prefix, run_prefix = ARGV[5], ARGV[6]
local account

local take = arguments(12)
local steps, lanes = {}, {}
for i = 1, tonumber(ARGV[11]) do
  local lane, number, record, run, field, value, caller, standing, slot, attributes = take(10)
  local asked, times = {'@busy'}, {}
  for n = 2, attributes + 1 do asked[n], times[n] = take(2) end
  steps[i] = {
    lane = lane, number = number, fence = fence_prefix .. record, ledger = run_prefix .. run, field = field, value = value,
    caller = caller, standing = standing, slot = slot, asked = asked, times = times,
  }
  lanes[i] = lane
end
local held = leased(lanes, keys, now)

local function begin(step)
  if held[step.lane] ~= step.number then return {'lost'} end
  local kept = redis.call('HMGET', step.fence, unpack(step.asked))
  if kept[1] then
    local holder, until_ms = string.match(kept[1], '^(%S+) (%S+)$')
    if holder ~= step.number and tonumber(until_ms) > now then return {'busy', until_ms} end
  end
  local answer = {'go', ''}
  for n = 2, #step.asked do
    if not kept[n] or tonumber(kept[n]) <= tonumber(step.times[n]) then answer[#answer + 1] = step.asked[n] end
  end
  if #answer > 2 and step.caller ~= '' then
    account = account or account_on({KEYS[3], KEYS[4]}, {unpack(ARGV, 7, 10)}, now)
    answer[2] = admit(account, step.caller, step.standing, step.slot, now)
    if answer[2][1] == 'later' then return answer end
  end
  if #answer > 2 then
    redis.call('HSET', step.fence, '@busy', step.number .. ' ' .. (now + hold_ms))
    redis.call('PEXPIRE', step.fence, fence_ttl)
  end
  if step.field ~= '' then
    redis.call('HSET', step.ledger, step.field, step.value)
    redis.call('PEXPIRE', step.ledger, ledger_ttl)
  end
  return answer
end

local answers = {}
for i, step in ipairs(steps) do answers[i] = begin(step) end
if account then account.keep(now) end
return answers
