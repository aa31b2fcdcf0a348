-- May this caller call Sakari now? See prelude_admit.lua.
--
-- KEYS  the account, the names of all accounts
-- ARGV  now | '' · what is asked
-- Returns as `admit`.
return admit(KEYS, {unpack(ARGV, 2)}, clock(ARGV[1]))
