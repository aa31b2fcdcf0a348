"""An installation whose events are decided by real rules: what commands about rules and events look at."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner, Result
from msgspec import Struct

from service.actions import ACTIONS
from service.cli import main
from service.engine import RuleSet, load, plan, read_folder
from service.model import Event
from service.store import Options, Store, accept, keys, lanes, open_store, rulesets
from service.store.records import StepRecord, encode

T = TypeVar("T")

RULE = """\
  - id: {id}
    event: contact.updated
    mode: {mode}
    when: {{ source: hubspot, contact.stage: {stage} }}
    then:
      - do: update_attributes
        with: {{ type: contacts, contact: {{ hubspot: {{ id: "${{contact.id}}" }}, attributes: {{ seen: "{seen}" }} }} }}
"""


def rules_text(*rules: str) -> str:
    return "version: 1\nrules:" + ("\n" + "".join(rules) if rules else " []\n")


def a_rule(rule_id: str = "one", *, stage: str = "customer", mode: str = "live", seen: str = "yes") -> str:
    return RULE.format(id=rule_id, stage=stage, mode=mode, seen=seen)


def an_event(fact: str = "f", *, object_id: str = "7", stage: str = "customer", at: int = 1) -> Event:
    return Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id=object_id,
        occurred_at=at,
        fact_key=fact,
        delivery_key=f"d-{fact}",
        values={"contact.id": object_id, "contact.stage": stage, "contact.email": "ada@example.com"},
        changed=("contact.stage",),
        origin="user",
    )


class Stage(Struct, frozen=True):
    """A Redis with nothing in it that the commands find, and a folder `rules` to stand in."""

    redis_url: str
    folder: Path

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=answer)

    def rules(self, *rules: str, folder: str = "rules") -> RuleSet:
        """Write the one file of a rules folder."""
        (self.folder / folder).mkdir(exist_ok=True)
        (self.folder / folder / "r.yaml").write_text(rules_text(*rules))
        loaded = load(read_folder(self.folder / folder), ACTIONS)
        assert not loaded.broken, loaded.problems
        return loaded.rule_set

    def on(self, work: Callable[[Store], Awaitable[T]]) -> T:
        async def opened() -> T:
            store = open_store(self.redis_url, Options())
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(opened())

    def accept(self, rule_set: RuleSet, *events: Event, at: int = 1_790_000_000_000) -> list[str]:
        """Decide about events under rules that are in force from now on, as the ingress does; their ids."""

        async def accepted(store: Store) -> list[str]:
            await rulesets.keep(store, rule_set.version, rule_set.files)
            await rulesets.announce(store, rule_set.version)
            plans = [plan(rule_set, event, at) for event in events]
            return list((await accept(store, "hubspot", plans, [], now=at)).events)

        return self.on(accepted)

    def forget_rule_sets(self) -> None:
        """Let every rule set expire."""

        async def forgotten(store: Store) -> None:
            await store.redis.delete(*[key async for key in store.redis.scan_iter(keys.RULESET + "*")])

        self.on(forgotten)

    def work(self, state: str = "done", **notes: str) -> list[str]:
        """Do every waiting run, all in one way; the keys of the runs, in the order in which they were done."""

        async def worked(store: Store) -> list[str]:
            done = []
            while claimed := await lanes.claim(store, 100):
                for lane in claimed:
                    more = True
                    while more:
                        done.append(lane.head.run.key)
                        step = StepRecord(state="done" if state == "done" else "failed", at=1, do="update_attributes")
                        fields = {"state": state, "ended_at": 5, "step:0": encode(step), **notes}
                        more = await lanes.end_run(store, lane, lanes.Notes(fields))
            return done

        return self.on(worked)


@pytest.fixture
def stage(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setenv("SLUICE_REDIS_URL", redis_url)
    monkeypatch.chdir(tmp_path)
    made = Stage(redis_url, tmp_path)
    made.on(lambda store: store.redis.flushall())
    return made
