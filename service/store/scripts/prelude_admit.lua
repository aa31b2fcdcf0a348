-- Put before the scripts that let a caller in (admit, begin), behind the prelude of accounts.
--
-- May this caller call Sakari now? Circuit, Retry-After and pace of an account in one step, for all workers.
--
-- names  the account, the names of all accounts
-- asked  calls a second · burst · credentials · caller · standing · slot · name of the account
--        standing: 'on' if the caller has called in this attempt, else how often its run was put off
--        slot: when the caller was told to wait until then, that time; else 0
-- Returns {'go', now, '1' if what becomes of the call is to be told even if it is good}
--       | {'wait', ms, slot}: soon; wait in place, then ask again with the slot
--       | {'later', due ms, reason, message}: let go of the lane until then
local NEW_MS, TURN_MS, ON_MS = 1000, 2000, 10000 -- for how long a caller may wait in place
local LATE_MS = 250 -- for how long a slot is good
local PROBE_MS = 30000 -- for how long a probe keeps others out: its worker may have died

local function admit(names, asked, now)
  local account = read_account(names[1])
  local rate, burst, credentials, caller = tonumber(asked[1]), tonumber(asked[2]), asked[3], asked[4]
  local standing, slot = asked[5], tonumber(asked[6])

  local function later(reason, message)
    return {'later', next_turn(account, rate, now), reason, message or ''}
  end

  local function go()
    local watched = account.number('failed') + account.number('denied') + account.number('misses') > 0
    return {'go', now, (watched or account.word('circuit') ~= '') and '1' or ''}
  end

  if account.word('rate') ~= asked[1] or account.word('burst') ~= asked[2] or now - account.number('kept_at') > RENEW_MS then
    account.set('rate', asked[1], 'burst', asked[2], 'kept_at', now)
    redis.call('PEXPIRE', names[1], KEPT_MS)
    redis.call('SADD', names[2], asked[7])
  end
  if account.number('hold') > now then return later('rate_limited') end

  local circuit, probing = account.word('circuit'), false
  if circuit ~= '' then
    local due = account.number('probe_at')
    if circuit == 'paused' and account.word('credentials') ~= credentials then due = 0 end
    probing = account.word('probe') == caller and account.number('probe_until') > now
    if not probing and account.number('probe_until') <= now and due <= now then
      probing = true
      account.set('probe', caller, 'probe_until', now + PROBE_MS, 'probe_at', now + 1000)
    end
    if not probing then
      return later(circuit == 'open' and 'circuit_open' or 'account_paused', account.word('message'))
    end
  end

  if slot > 0 then
    if now < slot then return {'wait', math.ceil(slot - now), asked[6]} end
    if now - slot <= LATE_MS then return go() end
  end

  local gap = 1000 / allowed(account, rate, now)
  -- The bound heals what a change of the rate or a jump of the clock leaves behind.
  local tat = math.min(account.number('tat'), now + burst * gap + ON_MS + 2 * gap)

  local function patience()
    if standing == 'on' or probing then return ON_MS + 2 * gap end
    if slot > 0 then return TURN_MS + gap end
    -- Who was put off more often may wait longer, so there is always room left for those.
    if tonumber(standing) > 0 then return (TURN_MS + gap) * math.min(tonumber(standing), 4) end
    -- Who comes anew does not push in front of those who wait for their turn, unless nobody is using it.
    if account.number('tail') > now then return tat <= now and 0 or -1 end
    return NEW_MS
  end

  local wait = math.max(0, math.ceil(tat - (burst - 1) * gap - now))
  if wait > patience() then return later('paced') end
  account.set('tat', string.format('%.3f', math.max(tat, now) + gap))
  if wait == 0 then return go() end
  return {'wait', wait, tostring(now + wait)}
end
