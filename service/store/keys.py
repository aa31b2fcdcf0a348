"""Every Redis key of Sluice, what is kept there, and how long.

Nothing outside this file spells a key. All keys start with `sluice:`, except arq's own (see tickets.py). Redis Cluster is
not supported, since arq is not: scripts build key names from these prefixes.
"""

CLAIM = "sluice:claim:"
"""+ fact key → `<event id> <delivery key>`. String, expires after the claim time (72 h by default)."""

JOURNAL = "sluice:journal"
"""Stream of accepted events; field `e` holds a JournalEntry. Its entry id is the event's id. Trimmed by age and length."""

LANE = "sluice:lane:"
"""+ lane → sorted set of waiting runs, score = occurred_at, member = `<order> <run key> <Run>`. Gone when empty."""

READY = "sluice:ready"
"""Sorted set of lanes that have work and no worker, score = when they are due (ms)."""

LEASES = "sluice:leases"
"""Sorted set of lanes that a worker holds, score = when the lease runs out (ms)."""

OWNERS = "sluice:owners"
"""Hash: lane → lease number. Numbers only grow, so an old holder is told from the new one."""

LEASE_NUMBER = "sluice:lease-number"
"""Counter of leases; a lease number is `<when it was taken, ms>-<count>`."""

RUN = "sluice:run:"
"""+ run key → hash, the ledger of one run: state, reason, tries, times, `step:<n>`. Expires after the ledger time."""

FENCE = "sluice:fence:"
"""+ Sakari record → hash: attribute → newest occurred_at written; `@busy` → `<lease number> <until>`.
Expires after the fence time (30 days)."""

DEAD = "sluice:dead"
"""Sorted set of dead letter ids, score = when they died (ms)."""

DEAD_LETTER = "sluice:dead:"
"""+ dead letter id → DeadLetter. Kept until a person retries or drops it, 90 days at most."""

RULESET = "sluice:ruleset:"
"""+ version → the rule files by name, as MessagePack. Expires a good while after its last use."""

RULESET_IN_FORCE = "sluice:ruleset-in-force"
"""Version of the rule set that an ingress took into use last. Never expires."""

REPLAYED = "sluice:replayed:"
"""+ event id → hash: rule id → version of the rule set under which its run was added by a replay. Expires with rule sets."""

TALLY = "sluice:tally:"
"""+ minutes since the epoch → hash: what happened in that minute -> how often (see overview.py). Expires after two hours."""

LAST_FIRINGS = "sluice:last-firings"
"""Hash: `live <rule>`, `shadow <rule>` or `failed <rule>` → id of the last event that the rule matched. Never expires."""

TOKEN = "sluice:sakari-token:"  # noqa: S105
"""+ account and client → the shared access token. Expires with the token."""

TOKEN_LOCK = "sluice:sakari-token-lock:"  # noqa: S105
"""+ account and client → who is fetching a token now. Expires within seconds."""

ACCOUNT = "sluice:account:"
"""+ name of a Sakari account → hash: its pace and its circuit (prelude_account.lua). Expires 7 days after its last call."""

ACCOUNTS = "sluice:accounts"
"""Set of the names of the Sakari accounts that were ever called. Few."""
