"""What a worker has at hand, put together by the entrance; and the rule sets it has met so far."""

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
import structlog
from msgspec import Struct

from service.actions import Action
from service.engine import Rule, RuleSet, collector_paused, load
from service.errors import Permanent, Retryable
from service.model import DEFAULT_ACCOUNT
from service.sakari.client import Sakari
from service.store import Store, rulesets
from service.worker.backoff import Backoff

log = structlog.get_logger("sluice.worker")

_LOOK_AGAIN_MS = 60_000

_MOST_RULE_SETS = 8
"""Compiled at a time: rules may change often while a worker runs."""


class Rules:
    """Compiled rule sets by version: a run is executed under the rules that decided it, not under today's."""

    def __init__(self, store: Store, actions: Mapping[str, Action]) -> None:
        self._store = store
        self._actions = actions
        self._sets: dict[str, RuleSet] = {}
        self._one_at_a_time = asyncio.Lock()

    async def find(self, version: str, rule: str) -> Rule:
        """Fetch a rule. Raises Permanent if that version, or the rule in it, cannot be had any more."""
        rule_set = self._sets.get(version) or await self._loaded(version)
        try:
            return rule_set.by_id[rule]
        except KeyError:
            raise Permanent("rule_unknown", f"rule set {version} has no rule `{rule}`") from None

    async def _loaded(self, version: str) -> RuleSet:
        async with self._one_at_a_time:
            if version not in self._sets:
                loaded = await self._load(version)
                if len(self._sets) >= _MOST_RULE_SETS:
                    del self._sets[next(iter(self._sets))]
                self._sets[version] = loaded
            return self._sets[version]

    async def _load(self, version: str) -> RuleSet:
        files = await rulesets.read(self._store, version)
        if files is None:
            raise Permanent("ruleset_unknown", f"rule set {version} is not in Redis any more; replay the event")
        return await asyncio.to_thread(self._compile, files)

    def _compile(self, files: dict[str, str]) -> RuleSet:
        with collector_paused():
            return load({name: text.encode() for name, text in files.items()}, self._actions).rule_set


class Desk(Struct, kw_only=True):
    """All that draining lanes needs. `stopping` is set once, when the process was asked to end."""

    store: Store
    sakari: Sakari
    actions: Mapping[str, Action]
    rules: Rules
    backoff: Backoff
    now: Callable[[], int]
    stopping: asyncio.Event
    region: str = ""
    """Country (ISO 3166) of phone numbers of which nothing else says it; empty if there is none."""
    ticket_s: float = 20.0
    """For how long a ticket goes on claiming lanes; then it ends, and another one takes over."""
    polled_at: float = msgspec.field(default_factory=time.monotonic)
    """When this process last looked for work, also in vain (monotonic seconds): a worker that does not look is stuck."""
    named: Mapping[str, Sakari] = {}
    """Sakari accounts by name, beside the default one."""
    warned_at: dict[str, int] = {}
    """When the log last told of an account that this worker does not know (ms), by its name."""

    def idle_s(self) -> float:
        """For how many seconds this process has not looked for work."""
        return time.monotonic() - self.polled_at

    def account(self, name: str) -> Sakari:
        """The client of an account.

        Raises Retryable for one that this worker was not told of: new rules may reach it before its new settings do, so the
        run looks again every minute, until its time is over.
        """
        if name == DEFAULT_ACCOUNT:
            return self.sakari
        try:
            return self.named[name]
        except KeyError:
            self._warn(name)
            message = f"this worker knows no account `{name}`: see SLUICE_SAKARI_ACCOUNTS"
            raise Retryable("account_unknown", message, due=self.now() + _LOOK_AGAIN_MS) from None

    def _warn(self, name: str) -> None:
        """Tell the log of an unknown account, once a minute at most: its lanes stand still until somebody acts."""
        if self.now() - self.warned_at.get(name, 0) >= _LOOK_AGAIN_MS:
            self.warned_at[name] = self.now()
            hint = "its lanes wait: mend the rule's `account`, or add it to SLUICE_SAKARI_ACCOUNTS of this worker"
            log.warning("account unknown", account=name, hint=hint)
