"""What people look at: events, what came of them, dead letters, rule sets."""

import asyncio

import pytest
from msgspec.structs import replace

from service.model import Misfit
from service.store import Store, accept, dead, journal, keys, lanes, rulesets
from tests.store.conftest import NOW, MakePlan


async def test_events_are_found_by_id_and_the_newest_first(store: Store, make_plan: MakePlan) -> None:
    for fact in ("a", "b", "c"):
        await accept(store, "hubspot", [make_plan(fact)], [], now=NOW)
    newest = await journal.newest(store, 2)

    assert [event.entry.event.fact_key for event in newest] == ["c", "b"]
    assert await journal.read(store, newest[1].id) == newest[1]
    assert await journal.read(store, "1-1") is None


@pytest.mark.parametrize("event_id", ["", "1", "-", "+", "1-1-1", "a-b", "9" * 30 + "-0", "1-1\n"])
async def test_what_is_no_event_id_is_said_to_be_none(store: Store, event_id: str) -> None:
    with pytest.raises(ValueError, match="no event id"):
        await journal.read(store, event_id)


async def test_a_story_ends_when_all_its_runs_have(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan(rules=("r1", "r2"))], [], now=NOW)
    (event,) = await journal.newest(store, 1)
    assert not (await journal.story(store, event)).ended

    await store.redis.hset(keys.RUN + "fact-1/r1", "state", "done")  # type: ignore[misc]
    await store.redis.hset(keys.RUN + "fact-1/r2", "state", "retrying")  # type: ignore[misc]
    assert not (await journal.story(store, event)).ended
    await store.redis.hset(keys.RUN + "fact-1/r2", "state", "dead")  # type: ignore[misc]
    story = await journal.story(store, event)
    assert (story.ended, set(story.runs)) == (True, {"r1", "r2"})


async def test_following_gives_what_is_there_and_then_what_comes(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan("a"), make_plan("b")], [], now=NOW)
    seen: list[str] = []
    caught_up = asyncio.Event()

    async def follow() -> None:
        async for event in journal.follow(store, after="0"):
            seen.append(event.entry.event.fact_key)
            if len(seen) == 2:
                caught_up.set()
            if len(seen) == 3:
                return

    following = asyncio.create_task(follow())
    await caught_up.wait()
    await accept(store, "hubspot", [make_plan("c")], [], now=NOW)
    await following
    assert seen == ["a", "b", "c"]


async def test_dead_letters_are_listed_newest_first(store: Store) -> None:
    assert await dead.newest(store, 10) == []
    for n in range(3):
        await accept(store, "hubspot", [], [Misfit(f"[{n}]: no", str(n).encode())], now=NOW + n)
        await store.redis.zadd(keys.DEAD, {(await dead.newest(store, 1))[0].id: NOW + n})
    letters = await dead.newest(store, 2)
    assert len(letters) == 2
    assert await dead.read(store, letters[0].id) == letters[0]
    assert await dead.read(store, "none") is None


async def test_dropping_a_letter_without_a_run_records_no_run(store: Store) -> None:
    await accept(store, "hubspot", [], [Misfit("no", b"?")], now=NOW)
    (letter,) = await dead.newest(store, 1)
    assert await dead.drop(store, letter)
    assert [key async for key in store.redis.scan_iter(keys.RUN + "*")] == []
    assert not await dead.drop(store, replace(letter, run_key="x/r"))


async def test_a_rule_set_is_kept_by_its_version_and_lives_longer_when_kept_again(store: Store) -> None:
    assert await rulesets.read(store, "v") is None
    await rulesets.keep(store, "v", {"a.yaml": "version: 1\n"})
    await store.redis.pexpire(keys.RULESET + "v", 5000)
    await rulesets.keep(store, "v", {"a.yaml": "version: 1\n"})

    assert await rulesets.read(store, "v") == {"a.yaml": "version: 1\n"}
    assert await store.redis.pttl(keys.RULESET + "v") > 5000


@pytest.mark.parametrize("first", ["0-0", "0000000-0"])
async def test_nothing_stands_before_the_first_id(store: Store, first: str) -> None:
    assert await journal.back(store, before=first, most=1) == []


async def test_a_waiting_run_is_told_what_its_lane_is_at(store: Store, make_plan: MakePlan) -> None:
    for fact, at in (("a", NOW), ("b", NOW + 1)):
        await accept(store, "hubspot", [make_plan(fact, at=at)], [], now=NOW)
    (lane,) = await lanes.claim(store, 1)
    stands = {"state": "waiting", "reason": "account_unknown", "message": "no account `salse`"}
    await lanes.let_go(store, lane, lanes.Notes(stands), due=NOW * 2)
    second, first = [await journal.story(store, event) for event in await journal.newest(store, 2)]

    ahead = second.behind["r1"]
    assert (ahead.event_id, ahead.run.rule, ahead.record.reason) == (first.id, "r1", "account_unknown")
    assert first.behind == {}
