-- Record what became of a run or a step, if the lease still holds; raise fences; then go on, wait, or let go of the lane.
--
-- KEYS  ready, leases, owners, the run's ledger, dead, the record's fence (or any key if no attributes are given),
--       prefix of the tallies
-- ARGV  now | '' · lane · lease number · then: 'stay' | 'next' | due ms · member to remove | '' · lane prefix · run prefix
--       dead letter prefix · dead letter id | '' · dead letter · ledger ttl ms (a dead run's is kept)
--       when the event was accepted (ms) | '' if that says nothing of how long the run took
--       unhold: '1' if this step held the record · number of ledger pairs · number of shared steps · tally ttl ms
--       then per ledger pair: field, value; per run whose only step was made together with this one: its key, the step
--       then per attribute that was written: its name, the occurred_at of its value
-- Returns {'lost'} | {'ok'} | {'ok', {member, occurred_at, flat ledger, runs}} after 'next', if the lane has another run.
-- 'next' on an empty lane ends the lease. Nothing at all is written when the lease is lost.
local keys = {ready = KEYS[1], leases = KEYS[2], owners = KEYS[3]}
local now, lane, number, after = clock(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
if not holds(lane, number, keys, now) then return {'lost'} end
local member, lane_prefix, run_prefix = ARGV[5], ARGV[6], ARGV[7]
local ledger, fence = KEYS[4], KEYS[6]

local pairs_end = 16 + 2 * tonumber(ARGV[14])
local state, tried
for i = 17, pairs_end, 2 do
  if ARGV[i] == 'state' then state = ARGV[i + 1] end
  if ARGV[i] == 'tries' then tried = true end
end
if pairs_end > 16 then redis.call('HSET', ledger, unpack(ARGV, 17, pairs_end)) end
if ARGV[9] ~= '' then redis.call('PERSIST', ledger) else redis.call('PEXPIRE', ledger, ARGV[11]) end

local shared_end = pairs_end + 2 * tonumber(ARGV[15])
for i = pairs_end + 1, shared_end, 2 do
  redis.call('HSET', run_prefix .. ARGV[i], 'step:0', ARGV[i + 1])
  redis.call('PEXPIRE', run_prefix .. ARGV[i], ARGV[11])
end

-- begin.lua has put off the fence's expiry when it took the hold.
local asked, rises = {'@busy'}, {}
for i = shared_end + 1, #ARGV, 2 do asked[#asked + 1] = ARGV[i] end
local kept = (#asked > 1 or ARGV[13] == '1') and redis.call('HMGET', fence, unpack(asked))
for i = 2, #asked do
  local at = ARGV[shared_end + 2 * i - 2]
  if not kept[i] or tonumber(kept[i]) < tonumber(at) then rises[#rises + 1], rises[#rises + 2] = asked[i], at end
end
if #rises > 0 then redis.call('HSET', fence, unpack(rises)) end
if ARGV[13] == '1' and kept[1] and string.match(kept[1], '^%S+') == number then redis.call('HDEL', fence, '@busy') end

if ARGV[9] ~= '' then
  redis.call('SET', ARGV[8] .. ARGV[9], ARGV[10])
  redis.call('ZADD', KEYS[5], now, ARGV[9])
end
if member ~= '' then redis.call('ZREM', lane_prefix .. lane, member) end

if state then
  local tallies = {prefix = KEYS[7], ttl = ARGV[16]}
  -- What failed once is called `retrying` also while it waits for its turn: that is no try that failed.
  tally(tallies, now, 'run ' .. (state == 'retrying' and not tried and 'waiting' or state), 1)
  -- How long it took since the event was accepted, in steps of the square root of two.
  if member ~= '' and ARGV[12] ~= '' then
    tally(tallies, now, 'took ' .. math.ceil(2 * math.log(math.max(1, now - ARGV[12])) / math.log(2)), 1)
  end
end

if after == 'stay' then return {'ok'} end
if after == 'next' then
  local first = head(lane, lane_prefix, run_prefix)
  if first then return {'ok', first} end
  end_lease(lane, keys)
else
  release(lane, keys, lane_prefix, tonumber(after))
end
return {'ok'}
