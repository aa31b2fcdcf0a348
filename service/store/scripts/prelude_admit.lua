-- Put before the scripts that let callers in (admit, begin), behind the prelude of accounts.
local NEW_MS, TURN_MS, ON_MS = 1000, 2000, 10000 -- for how long a caller may wait in place
local LATE_MS = 250 -- for how long a slot is good
local PROBE_MS = 30000 -- for how long a probe keeps others out: its worker may have died

-- The account as it is for those who ask now.
--
-- names  the account, the names of all accounts
-- terms  calls a second · burst · credentials · name of the account
local function account_on(names, terms, now)
  local account = read_account(names[1], tonumber(terms[1]))
  account.burst, account.credentials = tonumber(terms[2]), terms[3]
  if account.word('rate') ~= terms[1] or account.word('burst') ~= terms[2] or now - account.number('kept_at') > RENEW_MS then
    account.set({rate = terms[1], burst = terms[2]})
    redis.call('SADD', names[2], terms[4])
  end
  return account
end

local function later(account, now, reason, message)
  return {'later', next_turn(account, now), reason, message or ''}
end

local function go(account, now)
  local watched = account.number('failed') + account.number('denied') + account.number('misses') > 0
  return {'go', now, (watched or account.word('circuit') ~= '') and '1' or ''}
end

-- For how long (ms) a caller may wait in place; `gap`: between two calls just now.
local function patience(account, standing, probing, slot, gap, now)
  if standing == 'on' or probing then return ON_MS + 2 * gap end
  if slot > 0 then return TURN_MS + gap end
  -- Who was put off more often may wait longer, so there is always room left for those.
  local put_off = tonumber(standing)
  if put_off > 0 then return (TURN_MS + gap) * math.min(put_off, 4) end
  -- Who comes anew does not push in front of those who wait for their turn, unless nobody is using it.
  if account.number('tail') > now then return account.number('tat') <= now and 0 or -1 end
  return NEW_MS
end

-- May this caller call Sakari now? Circuit, Retry-After and pace of an account in one step, for all workers.
--
-- standing  'on' if the caller has called in this attempt, else how often its run was put off
-- slot      when the caller was told to wait until then, that time; else 0
-- Returns {'go', now, '1' if what becomes of the call is to be told even if it is good}
--       | {'wait', ms, slot}: soon; wait in place, then ask again with the slot
--       | {'later', due ms, reason, message}: let go of the lane until then
local function admit(account, caller, standing, slot, now)
  if account.number('hold') > now then return later(account, now, 'rate_limited') end

  local circuit, probing = account.word('circuit'), false
  if circuit ~= '' then
    local due = account.number('probe_at')
    if circuit == 'paused' and account.word('credentials') ~= account.credentials then due = 0 end
    probing = account.word('probe') == caller and account.number('probe_until') > now
    if not probing and account.number('probe_until') <= now and due <= now then
      probing = true
      account.set({probe = caller, probe_until = now + PROBE_MS, probe_at = now + 1000})
    end
    if not probing then
      return later(account, now, circuit == 'open' and 'circuit_open' or 'account_paused', account.word('message'))
    end
  end

  slot = tonumber(slot)
  if slot > 0 then
    if now < slot then return {'wait', math.ceil(slot - now), string.format('%d', slot)} end
    if now - slot <= LATE_MS then return go(account, now) end
  end

  local gap = 1000 / allowed(account, now)
  -- The bound heals what a change of the rate or a jump of the clock leaves behind.
  local tat = math.min(account.number('tat'), now + account.burst * gap + ON_MS + 2 * gap)
  local wait = math.max(0, math.ceil(tat - (account.burst - 1) * gap - now))
  if wait > patience(account, standing, probing, slot, gap, now) then return later(account, now, 'paced') end
  account.set({tat = math.max(tat, now) + gap})
  if wait == 0 then return go(account, now) end
  return {'wait', wait, string.format('%d', now + wait)}
end
