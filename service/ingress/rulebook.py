"""The rule set in force, and its copy in Redis by which workers and `explain` find it again."""

from collections.abc import Mapping
from pathlib import Path

from redis.exceptions import RedisError

from service.engine import ActionKind, Loaded, Problem, RuleSet, load, read_folder
from service.errors import StoreUnavailable
from service.store import Store, rulesets


class RuleBook:
    """Loads the rules of a folder, and makes sure that Redis has them before the first event is planned under them."""

    def __init__(self, folder: Path, actions: Mapping[str, ActionKind], rule_sets: Store) -> None:
        self._store = rule_sets
        self._loaded: Loaded = load(read_folder(folder), actions)
        self._kept = False

    @property
    def rule_set(self) -> RuleSet:
        """The rules in force."""
        return self._loaded.rule_set

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the files in the folder."""
        return self._loaded.problems

    @property
    def usable(self) -> bool:
        """False if there are files and not one of them is good: then nothing may be decided."""
        return bool(self.rule_set.files) or not self._loaded.broken

    async def current(self) -> RuleSet:
        """The rules in force, which Redis knows. Raises StoreUnavailable if it cannot be made to, or if no file is good."""
        if not self.usable:
            raise StoreUnavailable("no rule file is good, so nothing can be decided; see /readyz")
        if not self._kept:
            await self.keep()
        return self.rule_set

    async def keep(self) -> None:
        """Write the rule set to Redis, and so renew its life there. Raises StoreUnavailable."""
        try:
            await rulesets.keep(self._store, self.rule_set.version, self.rule_set.files)
        except (RedisError, OSError, TimeoutError) as error:
            self._kept = False
            raise StoreUnavailable(f"Redis could not store the rule set: {type(error).__name__}") from error
        self._kept = True
