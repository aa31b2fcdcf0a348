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

-- The first run of a lane: {member, occurred_at, flat ledger, 1 if others wait behind it, else 0}; nil if the lane is empty.
local function head(lane, lane_prefix, run_prefix)
  local found = redis.call('ZRANGE', lane_prefix .. lane, 0, 1, 'WITHSCORES')
  if #found == 0 then return nil end
  local key = string.match(found[1], '^%S+ (%S+) ')
  return {found[1], found[2], redis.call('HGETALL', run_prefix .. key), found[3] and 1 or 0}
end

-- Which of these lanes are held just now: lane -> lease number. A lease that has run out does not hold, even before anyone
-- else took the lane.
local function leased(lanes, keys, now)
  local numbers = redis.call('HMGET', keys.owners, unpack(lanes))
  local ends = redis.call('ZMSCORE', keys.leases, unpack(lanes))
  local held = {}
  for i, lane in ipairs(lanes) do
    if ends[i] and tonumber(ends[i]) > now then held[lane] = numbers[i] end
  end
  return held
end

local function end_leases(lanes, keys)
  if #lanes == 0 then return end
  redis.call('HDEL', keys.owners, unpack(lanes))
  redis.call('ZREM', keys.leases, unpack(lanes))
end

-- A lane that is no longer leased goes back to ready at `due` if it has work.
local function put_back(lane, keys, lane_prefix, due)
  if redis.call('EXISTS', lane_prefix .. lane) == 1 then redis.call('ZADD', keys.ready, due, lane) end
end

-- For scripts that get items one behind the other: gives the next arguments, so many at a time, from the `first` on.
local function arguments(first)
  local at = first - 1
  return function(number)
    at = at + number
    return unpack(ARGV, at - number + 1, at)
  end
end
