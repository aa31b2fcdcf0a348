-- Tell what became of a call: what is good for all is that all slow down, wait, or go on again.
--
-- KEYS  the account
-- ARGV  now | '' · calls a second · credentials · caller · outcome · when it was let in · successes · asked ms | ''
--       reason · message
--       outcome: 'ok': Sakari answered, well or with a refusal of this call · 'limited': 429 · 'failed': no answer, or 5xx
--                'denied': refused in a way that may mean the account as a whole · 'refused': in a way that does mean it
--       successes: that this process has had since it last told anything
--       asked: the Retry-After of the answer
-- Returns {what has changed: '' | 'slower' | 'opened' | 'paused' | 'closed', when the run is to go on | 0, a number}
--       due 0: the failure is the run's own. Else it is the account's, and no try is counted.
--       The number: calls a second when slower; for how long (ms) it was closed out when closed.
local FAILURES, WITHIN_MS = 5, 60000 -- so many without a success open the circuit
local DENIALS, AT_LEAST_MS = 3, 1000 -- so many without a success, and not all in one moment, pause the account
local PROVEN_MS = 600000 -- for how long a success proves that a refusal concerns one call only
local FIRST_MS, MOST_MS, PAUSED_MS = 1000, 30000, 60000 -- between probes
local CUT, LEAST = 0.7, 0.02
local LONGEST_MS = 300000 -- that is ever waited for a Retry-After
local account, now = read_account(KEYS[1], tonumber(ARGV[2])), clock(ARGV[1])
local credentials, caller, outcome = ARGV[3], ARGV[4], ARGV[5]
local admitted, successes, asked = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local circuit, since = account.word('circuit'), account.number('since')
local probing = circuit ~= '' and account.word('probe') == caller
asked = asked and math.min(asked, LONGEST_MS)

local function open(kind, probe_ms)
  account.set({circuit = kind, reason = ARGV[9], message = ARGV[10], credentials = credentials})
  account.set({probe_at = now + probe_ms, probe_until = 0, probe = '', probes = 0})
  if circuit == '' then account.set({since = now}) end
end

local function close()
  account.forget('circuit', 'since', 'reason', 'message', 'credentials', 'probe_at', 'probe_until', 'probe', 'probes')
  account.forget('failed', 'failed_at', 'denied', 'denied_at')
  account.set({closed_at = now})
  return {'closed', 0, now - since}
end

-- Count one more of a kind without a success in between; how many, and when the first was.
local function count(what, within_ms)
  local first, many = account.number(what .. '_at'), account.number(what)
  if many == 0 or successes > 0 or now - first > within_ms then first, many = now, 0 end
  account.set({[what] = many + 1, [what .. '_at'] = first})
  return many + 1, first
end

local function effect()
  if successes > 0 then account.set({ok_at = now}) end
  local proven = account.number('ok_at') > now - PROVEN_MS

  if outcome == 'ok' then
    account.set({ok_at = now})
    account.forget('failed', 'failed_at', 'denied', 'denied_at', 'misses')
    -- One that was let in before may have been answered before, too.
    if circuit ~= '' and (probing or admitted > since) then return close() end
    return {'', 0, 0}
  end

  if outcome == 'limited' then
    local told = probing and close() or {'', 0, 0}
    if admitted > account.number('cut_at') then -- else it left together with one that was counted
      local misses = account.number('misses') + 1
      local cut = math.max(account.rate * LEAST, allowed(account, now) * CUT)
      asked = asked or math.min(FIRST_MS * 2 ^ (misses - 1), PAUSED_MS)
      account.set({cut = cut, cut_at = now, misses = misses})
      if not probing then told = {'slower', 0, math.ceil(cut)} end
    end
    if asked then account.set({hold = math.max(account.number('hold'), now + asked)}) end
    told[2] = next_turn(account, now)
    return told
  end

  if outcome == 'failed' then
    if circuit ~= '' then
      if probing then
        local probes = account.number('probes') + 1
        local pause = math.max(math.min(FIRST_MS * 2 ^ probes, MOST_MS), asked or 0)
        account.set({probes = probes, probe_at = now + pause, probe_until = 0, probe = ''})
      end
      return {'', next_turn(account, now), 0}
    end
    if admitted < account.number('closed_at') then return {'', 0, 0} end -- of the outage that is over
    if count('failed', WITHIN_MS) < FAILURES then return {'', 0, 0} end
    open('open', math.max(FIRST_MS, asked or 0))
    return {'opened', next_turn(account, now), 0}
  end

  -- denied, refused
  if outcome == 'denied' and proven and circuit ~= 'paused' then -- it concerns this call only
    return probing and close() or {'', 0, 0}
  end
  if circuit ~= '' then
    local news = circuit ~= 'paused' or account.word('credentials') ~= credentials
    if probing or news then open('paused', PAUSED_MS) end
    return {news and 'paused' or '', next_turn(account, now), 0}
  end
  if outcome == 'denied' then
    local many, first = count('denied', PROVEN_MS)
    if many < DENIALS or now - first < AT_LEAST_MS then return {'', next_turn(account, now), 0} end
  end
  open('paused', PAUSED_MS)
  return {'paused', next_turn(account, now), 0}
end

local told = effect()
account.keep(now)
return told
