"""The rule set in force: read from a folder, read again when that changes, and kept in Redis, where workers find it.

A mistake turns no rule off: while a file is broken its last good version stays, while the folder is empty or cannot be
read everything does; a process that starts meanwhile fetches what was in force from Redis.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import structlog
from msgspec import Struct
from redis.exceptions import RedisError

from service.engine import ActionKind, Kept, RuleSet, collector_paused, load_keeping, read_folder, render
from service.errors import StoreUnavailable
from service.observe.metrics import RELOADS, RULE_FILES_BROKEN, RULESET
from service.store import Store, rulesets

log = structlog.get_logger("sluice.ingress")


class _Seen(Struct, frozen=True):
    """What a look at the folder found: its rule files, or why it cannot be read."""

    files: dict[str, bytes]
    fault: str = ""


class InForce(Struct, frozen=True, kw_only=True):
    """The rules in force, and what is wrong with the folder that they come from."""

    kept: Kept
    folder: str
    """What is wrong with the folder as a whole, in a sentence; empty if nothing is."""
    usable: bool
    """False as long as no good version of any file is known: then nothing may be decided."""

    @property
    def problems(self) -> list[str]:
        """What is wrong, for people: the folder, which old versions stay, and every mistake with its place."""
        return [*self.instead, *(render(problem) for problem in self.kept.problems)]

    @property
    def instead(self) -> list[str]:
        """What is in force in place of what is broken, in sentences."""
        lost = sorted(self.kept.broken - self.kept.held)
        return [
            *([self.folder] if self.folder else []),
            *([_WAITS] if self.kept.waits else []),
            *(f"{name} is broken: its last good version stays in force" for name in sorted(self.kept.held)),
            *(f"{name} is broken, and no good version of it is known: its rules are not in force" for name in lost),
        ]


_WAITS = (
    "a broken file's last good version does not go together with the new versions of other files (has a rule moved?):"
    " the rules of all files stay as they were"
)


class RuleBook:
    """Loads the rules of a folder, and makes sure that Redis has them before the first event is planned under them."""

    def __init__(self, folder: Path, actions: Mapping[str, ActionKind], rule_sets: Store) -> None:
        self._folder, self._actions, self._store = folder, actions, rule_sets
        self._loaded = self._seen = _look(folder)
        self._state = _load(self._seen, {}, actions, was_usable=False)
        self._recovered = not (self._state.kept.broken or self._state.folder)
        self._kept = self._announced = False
        self._one_at_a_time = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None
        _count(self._state)

    @property
    def rule_set(self) -> RuleSet:
        """The rules in force. Take it once for a delivery: it may be another one after the next `await`."""
        return self._state.kept.rule_set

    @property
    def problems(self) -> list[str]:
        """What is wrong with the rules folder, for people."""
        return self._state.problems

    @property
    def usable(self) -> bool:
        """Whether anything may be decided."""
        return self._state.usable

    async def current(self) -> RuleSet:
        """The rules in force, which Redis knows. Raises StoreUnavailable if it cannot be made to, or if no file is good."""
        if not self._kept:
            await self.keep()
        if not self.usable:
            raise StoreUnavailable("no rule file is good, so nothing can be decided; see /readyz")
        return self.rule_set

    async def keep(self) -> None:
        """Write the rule set to Redis, and so renew its life there. Raises StoreUnavailable.

        Whoever asks while that is under way gets what comes of it: in an outage each attempt takes seconds, and a queue of
        senders who all try for themselves would wait for minutes.
        """
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._try_to_keep())
            self._keeping.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.shield(self._keeping)

    async def _try_to_keep(self) -> None:
        try:
            async with self._one_at_a_time:
                await self._recover()
                if self.usable:
                    await self._keep(self._state)
        except (RedisError, OSError, TimeoutError) as error:
            self._kept = False
            raise StoreUnavailable(f"Redis could not store the rule set: {type(error).__name__}") from error

    async def refresh(self) -> bool:
        """Look at the folder, and take new rules into use: whether it did. Raises StoreUnavailable if Redis cannot know them.

        Files count as changed once they look the same twice in a row, so that nobody acts on half of a change.
        """
        seen = await asyncio.to_thread(_look, self._folder)
        settled, self._seen = seen == self._seen, seen
        if not settled or seen == self._loaded:
            return False
        if not await self._store.answers():
            raise StoreUnavailable("Redis does not answer, so the new rules have to wait")
        try:
            async with self._one_at_a_time:
                await self._recover()
                await self._adopt(seen)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis could not store the rule set: {type(error).__name__}") from error
        return True

    async def _recover(self) -> None:
        """Once, if something was amiss at the start: fetch what was in force before, and hold on to what is missing."""
        if self._recovered:
            return
        past = await rulesets.in_force(self._store)
        if past is not None:
            self._state = await asyncio.to_thread(
                _load, self._loaded, past[1], self._actions, was_usable=self._state.usable
            )
            _count(self._state)
            log.warning("rules recovered", version=self.rule_set.version, held=sorted(self._state.kept.held))
        self._recovered = True

    async def _adopt(self, seen: _Seen) -> None:
        old = self._state
        new = await asyncio.to_thread(_load, seen, old.kept.rule_set.files, self._actions, was_usable=old.usable)
        self._announced &= new.kept.rule_set.version == old.kept.rule_set.version
        if new.usable:
            await self._keep(new)
        self._state, self._loaded = new, seen
        amiss = bool(new.kept.broken or new.folder)
        RELOADS.labels("broken" if amiss else "good").inc()
        _count(new)
        (log.warning if amiss else log.info)(
            "rules reloaded",
            old=old.kept.rule_set.version,
            new=new.kept.rule_set.version,
            rules=len(new.kept.rule_set.rules),
            files=len(new.kept.rule_set.files),
            broken=sorted(new.kept.broken),
            folder=new.folder,
        )

    async def _keep(self, state: InForce) -> None:
        rule_set = state.kept.rule_set
        await rulesets.keep(self._store, rule_set.version, rule_set.files)
        await rulesets.announce(self._store, rule_set.version, if_none=self._announced)
        self._kept = self._announced = True


def look(folder: Path, last: Mapping[str, str], actions: Mapping[str, ActionKind]) -> InForce:
    """Give what an ingress that starts with this folder would decide by. `last`: the files of the rule set in force."""
    return _load(_look(folder), last, actions, was_usable=False)


def _look(folder: Path) -> _Seen:
    try:
        return _Seen(read_folder(folder))
    except OSError as error:
        return _Seen({}, error.strerror or type(error).__name__)


def _load(seen: _Seen, last: Mapping[str, str], actions: Mapping[str, ActionKind], *, was_usable: bool) -> InForce:
    """Load what was seen, keeping what is missing of the rules in force (`last`); if there is nothing, keep all of them."""
    folder = ""
    if seen.fault or not seen.files:
        folder = (
            f"the rules folder cannot be read: {seen.fault}" if seen.fault else "the rules folder holds no rule files"
        )
        folder += "; the rules that were in force stay (to turn one off, give it `mode: off`)" if last else ""
    files = {name: text.encode() for name, text in last.items()} if folder else seen.files
    with collector_paused():
        kept = load_keeping(files, last, actions)
    usable = was_usable or bool(kept.rule_set.files)
    return InForce(kept=kept, folder=folder, usable=usable)


def _count(state: InForce) -> None:
    RULESET.clear()
    RULESET.labels(state.kept.rule_set.version).set(1)
    RULE_FILES_BROKEN.set(len(state.kept.broken))
