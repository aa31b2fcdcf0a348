-- Put before every script by scripts.py: what several of them need, written once.

-- Milliseconds: the given time (tests), or the server's own, so that workers' clocks need not agree.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Enqueue one arq ticket, unless it exists already (waiting or running), and wake the workers (see worker/bell.py).
-- Its score is always in the past, since arq compares it with the clock of its worker (and takes 0 for none).
local function enqueue(bell, id)
  if not redis.call('SET', 'arq:job:' .. id, bell.job, 'NX', 'PX', bell.ttl) then return false end
  redis.call('ZADD', bell.queue, 1, id)
  redis.pcall('PUBLISH', bell.queue, id) -- what an ACL forbids costs only time
  return true
end

-- Enqueue as many tickets as `lanes` newly due lanes are worth, at most bell.most in all. A ticket that exists already is
-- passed over: the next one is rung instead.
local function ring(bell, lanes)
  local jobs = {}
  for i = 1, bell.most do jobs[i] = 'arq:job:drain:' .. i - 1 end
  if redis.call('EXISTS', unpack(jobs)) == bell.most then return 0 end -- as always while there is a lot to do
  local wanted = math.ceil(lanes / bell.width)
  local rung = 0
  for i = 0, bell.most - 1 do
    if rung >= wanted then break end
    if enqueue(bell, 'drain:' .. i) then rung = rung + 1 end
  end
  return rung
end

-- Count something in the tally of this minute.
local function tally(tallies, now, what, number)
  local key = tallies.prefix .. string.format('%d', math.floor(now / 60000))
  if redis.call('HINCRBY', key, what, number) == number then redis.call('PEXPIRE', key, tallies.ttl) end
end

-- The first run of a lane: {member, occurred_at, flat ledger, runs in the lane}, or nil if the lane is empty.
local function head(lane, lane_prefix, run_prefix)
  local first = redis.call('ZRANGE', lane_prefix .. lane, 0, 0, 'WITHSCORES')
  if #first == 0 then return nil end
  local key = string.match(first[1], '^%S+ (%S+) ')
  return {first[1], first[2], redis.call('HGETALL', run_prefix .. key), redis.call('ZCARD', lane_prefix .. lane)}
end

-- Does this lease still hold? A lease that has run out does not, even before anyone else took the lane.
local function holds(lane, number, keys, now)
  if redis.call('HGET', keys.owners, lane) ~= number then return false end
  local until_ms = redis.call('ZSCORE', keys.leases, lane)
  return until_ms and tonumber(until_ms) > now
end

local function end_lease(lane, keys)
  redis.call('HDEL', keys.owners, lane)
  redis.call('ZREM', keys.leases, lane)
end

-- End a lease; the lane goes back to ready at `due` if it has work.
local function release(lane, keys, lane_prefix, due)
  end_lease(lane, keys)
  if redis.call('EXISTS', lane_prefix .. lane) == 1 then redis.call('ZADD', keys.ready, due, lane) end
end
