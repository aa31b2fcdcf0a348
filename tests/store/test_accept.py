"""Promise 1 and 2: a 2xx means stored, and a redelivery does nothing twice."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import StoreUnavailable
from service.model import Misfit, PlanFailure
from service.store import Options, Receipt, Store, accept, dead, journal, keys, lanes, open_store
from tests.store.conftest import NOW, MakePlan


async def test_an_accepted_event_is_journalled_claimed_laned_and_rung_for(store: Store, make_plan: MakePlan) -> None:
    plan = make_plan(rules=("r1", "r2"))
    receipt = await accept(store, "hubspot", [plan], [], now=NOW)

    assert (receipt.accepted, receipt.duplicates) == (1, 0)
    found = await journal.read(store, receipt.events[0])
    assert found is not None
    assert found.entry.event == plan.event
    assert found.entry.runs == ("r1", "r2")
    assert await store.redis.zcard(keys.LANE + plan.event.lane) == 2
    assert await store.redis.zscore(keys.READY, plan.event.lane) is not None
    assert await store.redis.zrange("arq:queue", 0, -1) == [b"drain:0"]
    job = msgspec.msgpack.decode(await store.redis.get("arq:job:drain:0"))
    assert (job["f"], job["a"]) == ("drain", [])


async def test_a_redelivery_in_another_batch_adds_nothing(store: Store, make_plan: MakePlan) -> None:
    first = await accept(store, "hubspot", [make_plan("a")], [], now=NOW)
    again = await accept(store, "hubspot", [make_plan("b"), make_plan("a")], [], now=NOW)

    assert again.events[1] == "redelivered"
    assert (again.accepted, again.duplicates) == (1, 1)
    assert await store.redis.xlen(keys.JOURNAL) == 2
    assert first.events[0] != again.events[0]


async def test_the_same_fact_by_another_subscription_is_told_from_a_redelivery(
    store: Store, make_plan: MakePlan
) -> None:
    plan = make_plan("a")
    other = msgspec.structs.replace(plan, event=msgspec.structs.replace(plan.event, delivery_key="another"))
    await accept(store, "hubspot", [plan], [], now=NOW)

    assert (await accept(store, "hubspot", [other], [], now=NOW)).events == ("overlapping",)


async def test_the_same_fact_twice_in_one_batch_runs_once(store: Store, make_plan: MakePlan) -> None:
    receipt = await accept(store, "hubspot", [make_plan("a"), make_plan("a")], [], now=NOW)

    assert receipt.accepted == 1
    assert await store.redis.zcard(keys.LANE + make_plan("a").event.lane) == 1


async def test_an_event_without_runs_is_journalled_and_rings_for_nobody(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan(rules=())], [], now=NOW)

    assert await store.redis.xlen(keys.JOURNAL) == 1
    assert await store.redis.exists(keys.READY, "arq:queue") == 0


async def test_misfits_and_failed_rules_become_dead_letters_once(store: Store, make_plan: MakePlan) -> None:
    failing = msgspec.structs.replace(make_plan(rules=()), failures=(PlanFailure("r9", "missing_value", "no phone"),))
    misfit = Misfit("[1]: expected object", b"7")
    for _ in range(2):
        await accept(store, "hubspot", [failing], [misfit], now=NOW)

    letters = {letter.kind: letter for letter in await dead.newest(store, 10)}
    assert set(letters) == {"rule", "delivery"}
    assert letters["rule"].rule == "r9"
    assert letters["delivery"].body == b"7"


async def test_a_burst_of_lanes_costs_a_handful_of_tickets(store: Store, make_plan: MakePlan) -> None:
    plans = [make_plan(f"f{n}", object_id=str(n)) for n in range(1000)]
    await accept(store, "hubspot", plans, [], now=NOW)

    assert await store.redis.zcard(keys.READY) == 1000
    assert await store.redis.zcard("arq:queue") == store.options.most_tickets


async def test_concurrent_deliveries_share_rounds_and_calls_and_all_get_their_own_answer(
    store: Store, make_plan: MakePlan
) -> None:
    before = await store.redis.info("commandstats")
    receipts = await asyncio.gather(
        *(accept(store, "hubspot", [make_plan(f"f{n % 50}")], [], now=NOW) for n in range(100)),
        accept(store, "pipedrive", [make_plan("elsewhere")], [], now=NOW),
    )
    after = await store.redis.info("commandstats")

    assert sum(receipt.accepted for receipt in receipts) == 51
    assert sum(receipt.duplicates for receipt in receipts) == 50
    assert await store.redis.xlen(keys.JOURNAL) == 51
    for command in ("cmdstat_waitaof", "cmdstat_evalsha"):
        assert after[command]["calls"] - before.get(command, {"calls": 0})["calls"] < 20


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deliveries=st.lists(
        st.tuples(
            st.sampled_from(("hubspot", "pipedrive")),
            st.lists(st.integers(0, 12), max_size=5),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
async def test_deliveries_that_go_together_leave_and_are_told_what_they_would_alone(
    store: Store, make_plan: MakePlan, deliveries: list[tuple[str, list[int], int]]
) -> None:
    def asked() -> list[Coroutine[Any, Any, Receipt]]:
        return [
            accept(
                store,
                source,
                [make_plan(f"{source}{fact}", object_id=str(fact)) for fact in facts],
                [Misfit("odd", f"{number}-{n}".encode()) for n in range(misfits)],
                now=NOW,
            )
            for number, (source, facts, misfits) in enumerate(deliveries)
        ]

    async def kept() -> tuple[list[tuple[str, int]], int, int, int]:
        lanes = sorted([(key.decode(), await store.redis.zcard(key)) async for key in store.redis.scan_iter("*lane:*")])
        claims = [key async for key in store.redis.scan_iter(f"{keys.CLAIM}*")]
        return lanes, len(claims), await store.redis.xlen(keys.JOURNAL), await store.redis.zcard(keys.DEAD)

    def told(receipts: list[Receipt]) -> Counter[tuple[str, int, bool]]:
        """Count how often each fact was told to be new, or known: who of two comes first is anybody's guess."""
        return Counter(
            (source, fact, event in ("redelivered", "overlapping"))
            for (source, facts, _), receipt in zip(deliveries, receipts, strict=True)
            for fact, event in zip(facts, receipt.events, strict=True)
        )

    await store.redis.flushdb()
    alone = [await each for each in asked()]
    wanted = await kept()
    await store.redis.flushdb()
    together = list(await asyncio.gather(*asked()))

    assert told(together) == told(alone)
    assert await kept() == wanted
    assert len({event for receipt in together for event in receipt.events if "-" in event}) == wanted[2]


async def test_scripts_survive_a_restart_of_redis_that_forgot_them(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan("a")], [], now=NOW)
    await store.redis.script_flush()

    assert (await accept(store, "hubspot", [make_plan("b")], [], now=NOW)).accepted == 1


async def test_an_unreachable_redis_is_unavailable_and_soon(make_plan: MakePlan) -> None:
    nowhere = open_store("redis://127.0.0.1:1/0", Options(accept_timeout_ms=300))
    with pytest.raises(StoreUnavailable):
        await accept(nowhere, "hubspot", [make_plan()], [], now=NOW)
    await nowhere.close()


async def test_a_redis_out_of_memory_stores_nothing_at_all(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan("before")], [], now=NOW)
    await store.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match="OutOfMemory"):
            await accept(store, "hubspot", [make_plan("a"), make_plan("b", object_id="8")], [], now=NOW)
    finally:
        await store.redis.config_set("maxmemory", "0")
    assert await store.redis.exists(keys.CLAIM + "a", keys.LANE + "hubspot/1/contact/8") == 0
    assert await store.redis.xlen(keys.JOURNAL) == 1


async def test_an_error_in_the_middle_claims_nothing_that_it_did_not_store(store: Store, make_plan: MakePlan) -> None:
    plan = make_plan("a")
    await store.redis.set(keys.LANE + plan.event.lane, "put there by hand")
    with pytest.raises(StoreUnavailable):
        await accept(store, "hubspot", [plan], [], now=NOW)

    await store.redis.delete(keys.LANE + plan.event.lane)
    assert (await accept(store, "hubspot", [plan], [], now=NOW)).accepted == 1
    assert await store.redis.zcard(keys.LANE + plan.event.lane) == 1


async def test_runs_of_one_object_stand_in_the_order_of_their_facts(store: Store, make_plan: MakePlan) -> None:
    await accept(store, "hubspot", [make_plan("late", at=NOW + 5)], [], now=NOW)
    await accept(store, "hubspot", [make_plan("early", at=NOW), make_plan("tie", at=NOW)], [], now=NOW)

    (lane,) = await lanes.claim(store, 5)
    order = []
    more = True
    while more:
        order.append(lane.head.run.key)
        more = await lanes.end_run(store, lane, lanes.Notes({"state": "done"}))
    assert order == ["early/r1", "tie/r1", "late/r1"]


async def test_what_is_known_already_waits_for_the_disk_too(store: Store, make_plan: MakePlan) -> None:
    """The wait covers the writes of its own connection: without one, a repetition would be answered before its first."""

    async def written() -> int:
        return int((await store.redis.info("replication"))["master_repl_offset"])

    misfit = Misfit("no JSON", b"x")
    await accept(store, "hubspot", [make_plan("a")], [misfit], now=NOW)
    before = await written()
    for plans, misfits in (([make_plan("a")], []), ([], [misfit])):
        await accept(store, "hubspot", plans, misfits, now=NOW)
        assert await written() > before
        before = await written()
    assert await dead.count(store) == 1
