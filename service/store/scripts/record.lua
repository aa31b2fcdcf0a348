-- Record what became of runs or steps, each if its lease still holds; raise fences; then go on, wait, or let go of the lane.
-- Of runs of several lanes that wait together (rounds.py).
--
-- KEYS  ready, leases, owners, dead
-- ARGV  now | '' · lane prefix · run prefix · fence prefix · dead letter prefix · ledger ttl ms (a dead run's is kept)
--       prefix of the tallies · tally ttl ms · number of runs
--       then per run: lane · lease number · then: 'stay' | 'next' | due ms · run key · member to remove | ''
--                     when the event was accepted (ms) | '' if that says nothing of how long the run took
--                     dead letter id | '' · dead letter · the Sakari record that it held | ''
--                     number of ledger fields · number of shared steps · number of attributes that were written
--                     per ledger field: its name, its value
--                     per run whose only step was made together with this one: its key, the step
--                     per attribute: its name, the occurred_at of its value
-- Returns per run: {'lost'} | {'ok'} | {'ok', `head`} after 'next', if the lane has another run. 'next' on an empty lane ends
--       the lease. Nothing at all is written of a run whose lease is lost.
local keys = {ready = KEYS[1], leases = KEYS[2], owners = KEYS[3]}
local now, lane_prefix, run_prefix, fence_prefix, letter_prefix = clock(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ledger_ttl, tallies = ARGV[6], {prefix = ARGV[7], ttl = ARGV[8]}

local take = arguments(10)
local runs, lanes = {}, {}
for i = 1, tonumber(ARGV[9]) do
  local lane, number, after, key, member, since, letter_id, letter, record, fields, shared, attributes = take(12)
  local run = {
    lane = lane, number = number, after = after, ledger = run_prefix .. key, member = member, since = since,
    letter_id = letter_id, letter = letter, record = record,
    fields = {take(2 * fields)}, shared = {take(2 * shared)}, asked = {'@busy'}, times = {},
  }
  for n = 2, attributes + 1 do run.asked[n], run.times[n] = take(2) end
  runs[i], lanes[i] = run, lane
end
local held, ended, happened = leased(lanes, keys, now), {}, {}

local function count(what) happened[what] = (happened[what] or 0) + 1 end

-- Raise the fence of what was written, and let go of the record. begin.lua has put off the fence's expiry.
local function raise(fence, run)
  local kept, rises = redis.call('HMGET', fence, unpack(run.asked)), {}
  for n = 2, #run.asked do
    local at = run.times[n]
    if not kept[n] or tonumber(kept[n]) < tonumber(at) then rises[#rises + 1], rises[#rises + 2] = run.asked[n], at end
  end
  if #rises > 0 then redis.call('HSET', fence, unpack(rises)) end
  if kept[1] and string.match(kept[1], '^%S+') == run.number then redis.call('HDEL', fence, '@busy') end
end

local function record(run)
  local lane, ledger, fields = run.lane, run.ledger, run.fields
  if held[lane] ~= run.number then return {'lost'} end

  local state, tried
  for n = 1, #fields, 2 do
    if fields[n] == 'state' then state = fields[n + 1] end
    if fields[n] == 'tries' then tried = true end
  end
  if #fields > 0 then redis.call('HSET', ledger, unpack(fields)) end
  if run.letter_id ~= '' then redis.call('PERSIST', ledger) else redis.call('PEXPIRE', ledger, ledger_ttl) end
  for n = 1, #run.shared, 2 do
    redis.call('HSET', run_prefix .. run.shared[n], 'step:0', run.shared[n + 1])
    redis.call('PEXPIRE', run_prefix .. run.shared[n], ledger_ttl)
  end
  if run.record ~= '' then raise(fence_prefix .. run.record, run) end
  if run.letter_id ~= '' then
    redis.call('SET', letter_prefix .. run.letter_id, run.letter)
    redis.call('ZADD', KEYS[4], now, run.letter_id)
  end
  if run.member ~= '' then redis.call('ZREM', lane_prefix .. lane, run.member) end

  if state then
    -- What failed once is called `retrying` also while it waits for its turn: that is no try that failed.
    count('run ' .. (state == 'retrying' and not tried and 'waiting' or state))
    -- How long it took since the event was accepted, in steps of the square root of two.
    if run.member ~= '' and run.since ~= '' then
      count('took ' .. math.ceil(2 * math.log(math.max(1, now - run.since)) / math.log(2)))
    end
  end

  if run.after == 'stay' then return {'ok'} end
  if run.after == 'next' then
    local first = head(lane, lane_prefix, run_prefix)
    if first then return {'ok', first} end
  else
    put_back(lane, keys, lane_prefix, tonumber(run.after))
  end
  held[lane], ended[#ended + 1] = nil, lane
  return {'ok'}
end

local answers = {}
for i, run in ipairs(runs) do answers[i] = record(run) end
end_leases(ended, keys)
for what, number in pairs(happened) do tally(tallies, now, what, number) end
return answers
