-- May this caller call Sakari now? See prelude_admit.lua.
--
-- KEYS  the account, the names of all accounts
-- ARGV  now | '' · calls a second · burst · credentials · name of the account · caller · standing · slot
-- Returns as `admit`.
local now = clock(ARGV[1])
local account = account_on(KEYS, {unpack(ARGV, 2, 5)}, now)
local answer = admit(account, ARGV[6], ARGV[7], ARGV[8], now)
account.keep(now)
return answer
