"""Steps: which are taken, which are called, what is kept of them, and what is never done twice."""

import asyncio

import pytest

from service.errors import LeaseLost, Permanent, Retryable, Uncertain
from service.store import dead, keys, lanes
from service.worker.drain import drain_lane
from tests.worker.conftest import Args, Call, FarSide, MakeBench

LOOK = '{ do: look, as: seen, with: { who: "${contact.id}" } }'
WRITE = '{ do: write, with: { who: "${contact.id}", sets: { a: 1, b: 2 } } }'
TEXT = '{ do: text, with: { who: "${contact.id}", sets: { a: 1 } } }'
PING = '{ do: ping, with: { who: "${contact.id}" } }'


async def test_steps_are_called_in_order_with_what_the_event_carries(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, WRITE)
    await bench.happen("a")
    await bench.drain()

    assert far.calls == [Call("look", Args("7")), Call("write", Args("7", {"a": 1, "b": 2}))]
    record = await bench.ledger("a")
    assert (record.state, record.reason, record.tries) == ("done", "", 0)
    assert record.ended_at > 0
    assert record.steps[1].args == {"who": "7", "sets": {"a": 1, "b": 2}}
    assert record.steps[1].answer == {"answered": "write"}


async def test_a_step_whose_if_does_not_hold_is_skipped(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, WRITE.replace("do: write", "do: write, if: { seen.yes: true }"))
    far.answers.append({"yes": False})
    await bench.happen("a")
    await bench.drain()

    assert bench.did == ["look"]
    record = await bench.ledger("a")
    assert record.state == "done"
    assert (record.steps[1].state, record.steps[1].reason) == ("skipped", "condition")


async def test_an_if_about_something_unknown_does_not_hold(make_bench: MakeBench) -> None:
    bench = await make_bench(LOOK, WRITE.replace("do: write", "do: write, if: { seen.missing: { ne: 1 } }"))
    await bench.happen("a")
    await bench.drain()

    assert bench.did == ["look"]
    assert (await bench.ledger("a")).steps[1].state == "skipped"


async def test_a_run_of_which_no_step_applies_ends_as_skipped(make_bench: MakeBench) -> None:
    bench = await make_bench(WRITE.replace("do: write", 'do: write, if: { contact.vip: "yes" }'))
    await bench.happen("a", vip="no")
    await bench.drain()

    record = await bench.ledger("a")
    assert (record.state, record.reason, bench.did) == ("skipped", "condition", [])


async def test_of_a_result_only_what_later_steps_use_is_kept(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(
        LOOK,
        '{ do: look, if: { seen.deep.missing: { exists: false } }, with: { who: "${seen.deep.name}" } }',
        "{ do: look, if: { seen.yes: true }, with: { who: \"${seen.flat.not.there | default('x')}\" } }",
    )
    far.answers.append({"yes": True, "deep": {"name": "n", "secret": "s"}, "flat": 1, "all": list(range(9999))})
    await bench.happen("a")
    await bench.drain()

    record = await bench.ledger("a")
    assert record.steps[0].result == {"yes": True, "deep": {"name": "n"}}
    assert record.steps[1].result == {}
    assert [call.args.who for call in far.calls] == ["7", "n", "x"]


async def test_a_long_answer_is_kept_by_its_beginning(make_bench: MakeBench) -> None:
    bench = await make_bench(LOOK)
    await bench.happen("a", object_id="7" * 9000)
    await bench.drain()

    kept = (await bench.ledger("a")).steps[0].args
    assert isinstance(kept, str)
    assert kept.startswith('{"who":"777')
    assert len(kept) < 5000


async def test_a_step_that_is_done_is_not_called_again_after_a_crash(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(TEXT, LOOK)
    await bench.happen("a")
    (lane,) = await lanes.claim(bench.store, 1)
    draining = asyncio.create_task(drain_lane(lane, bench.desk))
    while bench.did != ["text"]:  # noqa: ASYNC110 - what it waits for is a list that the action fills
        await asyncio.sleep(0)
    far.gate = asyncio.Event()
    far.entered.clear()
    await far.entered.wait()
    await bench.crash(draining)

    far.gate = None
    await bench.drain()
    assert bench.did == ["text", "look", "look"]
    assert (await bench.ledger("a")).state == "done"


async def test_results_of_done_steps_are_there_again_after_a_crash(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, '{ do: look, with: { who: "${seen.name}" } }')
    far.answers += [{"name": "Ada"}, Retryable("down", "later")]
    await bench.happen("a")
    await bench.drain()
    await bench.drain()

    assert [call.args.who for call in far.calls] == ["7", "Ada", "Ada"]


async def test_a_step_that_must_not_be_repeated_is_parked_if_it_was_cut_short(
    make_bench: MakeBench, far: FarSide
) -> None:
    for step in (TEXT, PING):
        bench = await make_bench(step)
        far.gate, far.entered, far.calls = asyncio.Event(), asyncio.Event(), []
        await bench.happen(step[6:10])
        (lane,) = await lanes.claim(bench.store, 1)
        draining = asyncio.create_task(drain_lane(lane, bench.desk))
        await far.entered.wait()
        await bench.crash(draining)

        far.gate = None
        await bench.drain()
        assert bench.did == [step[6:10]]
        (letter,) = await bench.letters()
        assert letter.reason == "uncertain_begun_before"
        assert await dead.drop(bench.store, letter)


async def test_a_step_that_sets_values_is_repeated_if_it_was_cut_short(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    far.gate = asyncio.Event()
    await bench.happen("a")
    (lane,) = await lanes.claim(bench.store, 1)
    draining = asyncio.create_task(drain_lane(lane, bench.desk))
    await far.entered.wait()
    await bench.crash(draining)
    await bench.store.redis.hdel(keys.FENCE + "contacts/7", "@busy")  # type: ignore[misc]  # as time will

    far.gate = None
    await bench.drain()
    assert bench.did == ["write", "write"]
    assert (await bench.ledger("a")).state == "done"


async def test_a_call_that_did_not_happen_is_tried_again_even_if_it_must_not_be_repeated(
    make_bench: MakeBench, far: FarSide
) -> None:
    for step in (TEXT, PING):
        bench = await make_bench(step)
        name = step[6:10]
        far.calls.clear()
        far.answers.append(Retryable("down", "later"))
        await bench.happen(name)
        await bench.drain()
        assert (await bench.ledger(name)).steps[0].state == "failed"
        await bench.drain()

        assert bench.did == [name, name]
        assert (await bench.ledger(name)).state == "done"


async def test_an_uncertain_call_that_must_not_be_repeated_waits_for_a_person_who_may_repeat_it(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(TEXT)
    far.answers.append(Uncertain("timeout", "no answer came"))
    await bench.happen("a")
    await bench.drain()
    (letter,) = await bench.letters()
    assert (letter.reason, bench.did) == ("uncertain_timeout", ["text"])

    await dead.retry(bench.store, letter, expires_at=bench.now() + 60_000)
    await bench.drain()
    assert bench.did == ["text", "text"]
    assert (await bench.ledger("a")).state == "done"


async def test_a_newer_fact_wins_and_the_older_one_ends_as_superseded(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    now = bench.now()
    await bench.happen("newer", at=now)
    await bench.drain()
    await bench.happen("older", at=now - 1000)
    await bench.drain()

    assert len(far.calls) == 1
    record = await bench.ledger("older")
    assert (record.state, record.reason, record.steps[0].state) == ("superseded", "newer_fact", "superseded")


async def test_a_run_that_looked_and_whose_write_was_superseded_has_done_nothing(make_bench: MakeBench) -> None:
    bench = await make_bench(LOOK, WRITE)
    now = bench.now()
    for name, at in (("newer", now), ("older", now - 1000)):
        await bench.happen(name, at=at)
        await bench.drain()
    assert bench.did == ["look", "write", "look"]
    assert [(await bench.ledger(name)).state for name in ("newer", "older")] == ["done", "superseded"]


async def test_an_older_fact_still_writes_what_no_newer_one_has_written(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    await bench.store.redis.hset(keys.FENCE + "contacts/7", "a", str(bench.now() + 9999))  # type: ignore[misc]
    await bench.happen("x")
    await bench.drain()

    assert far.calls == [Call("write", Args("7", {"b": 2}))]
    assert (await bench.ledger("x")).state == "done"


async def test_a_failed_write_raises_no_fence_and_lets_go_of_the_record(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    far.answers.append(Permanent("http_400", "refused"))
    await bench.happen("newer")
    await bench.drain()
    await bench.happen("older", object_id="7", at=bench.now() - 5000)
    await bench.drain()

    assert len(far.calls) == 2
    assert (await bench.ledger("older")).state == "done"


async def test_a_record_that_another_lane_writes_to_is_waited_for_without_counting_a_try(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(LOOK, WRITE)
    fence = keys.FENCE + "contacts/7"
    await bench.store.redis.hset(fence, "@busy", f"999999 {bench.now() + 60_000}")  # type: ignore[misc]
    await bench.happen("a")
    for _ in range(5):
        await bench.drain()
    record = await bench.ledger("a")
    assert (bench.did, record.state, record.tries) == (["look"], "waiting", 0)

    await bench.store.redis.hdel(fence, "@busy")  # type: ignore[misc]
    await bench.drain()
    assert (bench.did, (await bench.ledger("a")).state) == (["look", "write"], "done")
    assert len(far.calls) == 2


async def test_arguments_that_do_not_fit_are_a_dead_letter_without_the_value(make_bench: MakeBench) -> None:
    bench = await make_bench('{ do: write, with: { who: "7", sets: { a: "${contact.phone}" } } }')
    await bench.happen("a", phone="+1 555 010 9999")
    await bench.drain()

    (letter,) = await bench.letters()
    assert (letter.reason, bench.did) == ("bad_arguments", [])
    assert "`write`" in letter.message
    assert "sets" in letter.message
    assert "555" not in letter.message


async def test_a_call_whose_lease_runs_out_before_it_leaves_is_not_made(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    await bench.happen("a")
    far.gate = asyncio.Event()
    (lane,) = await lanes.claim(bench.store, 1)
    draining = asyncio.create_task(drain_lane(lane, bench.desk))
    await far.entered.wait()
    far.check()
    lane.until = 0.0  # the process was paused while the client waited for a token
    with pytest.raises(LeaseLost):
        far.check()
    far.gate.set()
    await draining
