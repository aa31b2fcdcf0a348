-- Put before the scripts that look after one account of Sakari (admit, begin, report), behind the prelude.
--
-- The hash of an account. Times in server time (ms); a field that is missing is 0 or ''.
--   rate, burst           calls a second and calls at once, as the last caller was configured
--   tat                   when the bucket is full again (the "theoretical arrival time" of GCRA)
--   tail                  the last turn that was given out
--   cut, cut_at, misses   calls a second right after the last 429, when that was, how many there were without a success
--   hold                  nobody calls before this: Retry-After
--   circuit               '' | 'open' (Sakari is down) | 'paused' (Sakari refuses the account); with it:
--   since, reason, message, credentials (that were refused), probe_at, probe (who), probe_until, probes (that failed)
--   failed, failed_at     failures without a success, and when the first was; denied, denied_at likewise for refusals
--   kept_at               when its expiry was put off last
--   ok_at                 the last success that was told; closed_at: when the circuit closed
local RECOVERY_MS = 120000 -- from nothing to the configured rate
local KEPT_MS = 7 * 24 * 3600 * 1000
local RENEW_MS = 3600 * 1000

-- `rate`: calls a second as the caller is configured. Whoever sets or forgets fields has to `keep` them at the end.
local function read_account(key, rate)
  local kept, changed, flat = {}, {}, redis.call('HGETALL', key)
  for i = 1, #flat, 2 do kept[flat[i]] = flat[i + 1] end
  local account = {rate = rate}
  function account.number(field) return tonumber(kept[field] or 0) end
  function account.word(field) return kept[field] or '' end
  function account.set(fields)
    for field, value in pairs(fields) do kept[field], changed[field] = value, true end
  end
  function account.forget(...)
    for _, field in ipairs({...}) do kept[field], changed[field] = nil, true end
  end
  function account.keep(now)
    local renewed = now - account.number('kept_at') > RENEW_MS
    if renewed then account.set({kept_at = now}) end
    local set, gone = {}, {}
    for field in pairs(changed) do
      local value = kept[field]
      if value then set[#set + 1], set[#set + 2] = field, value else gone[#gone + 1] = field end
    end
    if #set > 0 then redis.call('HSET', key, unpack(set)) end
    if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
    if renewed then redis.call('PEXPIRE', key, KEPT_MS) end
  end
  return account
end

-- Calls a second just now: the configured rate, or less for a while after a 429.
local function allowed(account, now)
  local cut = account.number('cut')
  if cut == 0 then return account.rate end
  local since = math.max(0, now - math.max(account.number('cut_at'), account.number('hold')))
  return math.min(account.rate, cut + account.rate * since / RECOVERY_MS)
end

-- Give out the next turn: one after the other at the configured rate, so that thousands who wait do not come back at
-- once; none before there is hope. After a 429 that is more than are let in, so that what is allowed is used.
local function next_turn(account, now)
  local hope = account.word('circuit') ~= '' and account.number('probe_at') or 0
  local turn = math.max(account.number('tail'), account.number('hold'), hope, now) + 1000 / account.rate
  account.set({tail = turn})
  return math.ceil(turn)
end
