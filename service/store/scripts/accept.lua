-- Accept the events of one delivery, or of several of one source that wait together (rounds.py): claims, journal, runs in
-- their lanes, dead letters, tickets. All or nothing.
--
-- KEYS  journal, ready, owners, dead, arq queue
-- ARGV  now | '' · claim ttl ms · journal length · lane prefix · claim prefix · dead letter prefix
--       ticket job · ticket ttl ms · lanes per ticket · most tickets · tally prefix · tally ttl ms · last firings · source
--       number of events, misfits included
--       then per event: fact key, delivery key, journal entry, '' if nothing else belongs to it, else
--                       number of runs,  per run: lane, occurred_at, run key, run
--                       number of dead letters, per letter: id, letter
--                       number of marks, per mark: `live <rule>`, `shadow <rule>` or `failed <rule>`
--       An event with an empty fact key is not claimed and not journalled: it only brings dead letters.
-- Returns per event: its id; or '' for a redelivery; or '=' for the same fact by another notification.
--       (and the empty string for an event without a fact key)
local journal, ready, owners, dead, queue = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now, ttl, length = clock(ARGV[1]), ARGV[2], ARGV[3]
local lane_prefix, claim_prefix, letter_prefix = ARGV[4], ARGV[5], ARGV[6]
local bell = {job = ARGV[7], ttl = ARGV[8], width = tonumber(ARGV[9]), most = tonumber(ARGV[10]), queue = queue}
local tallies, last_firings, source = {prefix = ARGV[11], ttl = ARGV[12]}, ARGV[13], ARGV[14]
local take, ids, woken = arguments(16), {}, 0
local marked, newest = {}, {}
local seen = {accepted = 0, redelivered = 0, overlapping = 0, misfit = 0}

-- What comes with an event: its runs into their lanes, its dead letters, and its marks. Skipped if it is known.
local function belongings(runs, fresh, id)
  for n = 1, runs do
    local lane, occurred_at, key, run = take(4)
    if fresh then
      local ms, seq = string.match(id, '^(%d+)-(%d+)$')
      local member = string.format('%013d-%06d-%03d ', ms, seq, n) .. key .. ' ' .. run
      redis.call('ZADD', lane_prefix .. lane, occurred_at, member)
      if redis.call('HEXISTS', owners, lane) == 0 then
        woken = woken + redis.call('ZADD', ready, 'NX', now, lane)
      end
    end
  end
  for _ = 1, tonumber((take(1))) do
    local letter_id, letter = take(2)
    if fresh then
      redis.call('SET', letter_prefix .. letter_id, letter) -- also if it is there: as with claims
      redis.call('ZADD', dead, 'NX', now, letter_id)
    end
  end
  for _ = 1, tonumber((take(1))) do
    local mark = take(1)
    if fresh then marked[mark], newest[mark] = (marked[mark] or 0) + 1, id end
  end
end

for i = 1, tonumber(ARGV[15]) do
  local fact, delivery, entry, runs = take(4)
  local prior = fact ~= '' and redis.call('GET', claim_prefix .. fact)
  local fresh = not prior
  if fact == '' then
    ids[i] = ''
    seen.misfit = seen.misfit + 1
  elseif prior then
    -- Renewing the claim is a write of this connection, so that the wait for the disk covers what was known already: the
    -- delivery that brought it may have been cut off before its own wait was over.
    redis.call('PEXPIRE', claim_prefix .. fact, ttl)
    local same = string.match(prior, ' (.*)$') == delivery
    ids[i] = same and '' or '='
    seen[same and 'redelivered' or 'overlapping'] = seen[same and 'redelivered' or 'overlapping'] + 1
  else
    seen.accepted = seen.accepted + 1
    ids[i] = redis.call('XADD', journal, 'MAXLEN', '~', length, '*', 'e', entry)
  end
  if runs ~= '' then belongings(tonumber(runs), fresh, ids[i]) end
  -- Last, since an error does not undo what a script did before it: a claim must not stand for runs that were not stored.
  if fresh and fact ~= '' then redis.call('SET', claim_prefix .. fact, ids[i] .. ' ' .. delivery, 'PX', ttl) end
end
for mark, number in pairs(marked) do
  tally(tallies, now, mark, number)
  redis.call('HSET', last_firings, mark, newest[mark])
end
for what, number in pairs(seen) do
  if number > 0 then tally(tallies, now, what .. ' ' .. source, number) end
end
if woken > 0 then ring(bell, woken) end
return ids
