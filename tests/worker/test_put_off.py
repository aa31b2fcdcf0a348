"""What is put off by the pace or the circuit waits without using up tries; and each account is called as itself."""

import asyncio
from typing import cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from service.engine import load
from service.errors import Retryable, Uncertain
from service.sakari.client import Sakari
from service.store import keys, rulesets
from service.worker.desk import Rules
from tests.worker.conftest import MINUTE_MS, Args, Bench, Call, FarSide, MakeBench

LOOK = '{ do: look, with: { who: "${contact.id}" } }'
WRITE = '{ do: write, with: { who: "${contact.id}", sets: { a: 1 } } }'
TEXT = '{ do: text, with: { who: "${contact.id}", sets: { a: 1 } } }'
PING = '{ do: ping, with: { who: "${contact.id}" } }'
LANE = "hubspot/1/contact/7"


def later(bench: Bench, ms: int = MINUTE_MS) -> Retryable:
    return Retryable("paced", "it waits for its turn", due=bench.now() + ms)


@pytest.mark.parametrize("step", [LOOK, WRITE, TEXT, PING])
async def test_a_run_that_is_put_off_keeps_its_tries_and_is_due_at_its_turn(
    make_bench: MakeBench, far: FarSide, step: str
) -> None:
    bench = await make_bench(step, tries=3)
    error = later(bench)
    far.answers += [error] * 10
    await bench.happen("a")
    for times in range(1, 11):
        await bench.drain()
        record = await bench.ledger("a")
        assert (record.state, record.reason, record.tries, record.put_off) == ("waiting", "paced", 0, times)
        assert far.caller.put_off == times - 1
        assert await bench.store.redis.zscore(keys.READY, LANE) == error.due
        assert await bench.store.redis.exists(keys.LEASES, keys.OWNERS) == 0
    assert await bench.store.redis.hget(keys.FENCE + "contacts/7", "@busy") is None  # type: ignore[misc]

    await bench.drain()
    record = await bench.ledger("a")
    assert (record.state, record.reason, record.tries) == ("done", "", 0)


async def test_steps_that_set_values_show_no_failure_while_they_wait(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, WRITE)
    far.answers += [{}, later(bench)]
    await bench.happen("a")
    with capture_logs() as logs:
        await bench.drain()
    assert {number: step.state for number, step in (await bench.ledger("a")).steps.items()} == {0: "done"}
    assert [line for line in logs if line["event"] == "run" and line["log_level"] != "debug"] == []


async def test_a_run_that_failed_before_is_still_called_retrying(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    far.answers += [Retryable("http_503", "down"), later(bench)]
    await bench.happen("a")
    await bench.drain()
    await bench.drain()
    record = await bench.ledger("a")
    assert (record.state, record.tries, record.put_off) == ("retrying", 1, 1)


async def test_waiting_ends_when_the_runs_time_is_over(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK)
    plan = bench.plan("a")
    await bench.accept(replace(plan, runs=tuple(replace(r, expires_at=bench.now() + MINUTE_MS) for r in plan.runs)))
    far.answers.append(later(bench, 2 * MINUTE_MS))
    await bench.drain()
    (letter,) = await bench.letters()
    assert letter.reason == "expired"
    assert "waits for its turn" in letter.message


async def test_an_outage_met_in_the_middle_of_a_write_uses_up_no_try(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(WRITE)
    far.answers.append(Uncertain("server_error", "HTTP 500", due=bench.now() + MINUTE_MS))
    await bench.happen("a")
    await bench.drain()
    record = await bench.ledger("a")
    assert (record.state, record.reason, record.tries) == ("waiting", "server_error", 0)


async def test_a_call_that_must_not_be_repeated_is_parked_even_in_an_outage(
    make_bench: MakeBench, far: FarSide
) -> None:
    bench = await make_bench(TEXT)
    far.answers.append(Uncertain("server_error", "HTTP 500", due=bench.now() + MINUTE_MS))
    await bench.happen("a")
    await bench.drain()
    assert [letter.reason for letter in await bench.letters()] == ["uncertain_server_error"]


async def test_a_run_of_an_account_that_this_worker_does_not_know_looks_again(bench_of_sales: Bench) -> None:
    bench = bench_of_sales
    bench.desk = replace(bench.desk, named={})
    await bench.happen("a")
    with capture_logs() as logs:
        await bench.drain()
        with pytest.raises(Retryable):
            bench.desk.account("sales")
    record = await bench.ledger("a")
    assert (record.state, record.reason, record.tries) == ("waiting", "account_unknown", 0)
    assert "`sales`" in record.message
    assert bench.far.calls == []
    assert [one["account"] for one in logs if one["event"] == "account unknown"] == ["sales"], "once a minute at most"


@pytest.fixture
async def bench_of_sales(make_bench: MakeBench, far: FarSide) -> Bench:
    """Two rules that write to the same contact: one in the account `sales`, one in the default account."""
    blend = '{ do: blend, with: { who: "${contact.id}", sets: { a: "${contact.a | default(1)}" } } }'
    bench = await make_bench(blend)
    text = "version: 1\nrules:\n" + "".join(
        f"  - id: {rule}\n    {account}\n    event: contact.updated\n    then: [{blend}]\n"
        for rule, account in (("r", "account: sales"), ("s", "description: default"))
    )
    loaded = load({"r.yaml": text.encode()}, far.actions())
    assert not loaded.problems
    bench.rule_set = loaded.rule_set
    await rulesets.keep(bench.store, loaded.rule_set.version, loaded.rule_set.files)
    rules = Rules(bench.store, far.actions())
    bench.sales = FarSide()  # type: ignore[attr-defined]
    bench.desk = replace(bench.desk, rules=rules, named={"sales": cast("Sakari", bench.sales)})  # type: ignore[attr-defined]
    return bench


async def test_records_of_two_accounts_are_two_records(bench_of_sales: Bench) -> None:
    bench = bench_of_sales
    await bench.happen("a", at=1)
    await bench.happen("b", at=2)
    await bench.drain()
    fences = {key.decode().removeprefix(keys.FENCE) async for key in bench.store.redis.scan_iter(keys.FENCE + "*")}
    assert fences == {"contacts/7", "sales:contacts/7"}
    assert [(await bench.ledger(fact, rule)).state for fact in "ab" for rule in "rs"] == ["done"] * 4
    assert len(bench.far.calls) == 4  # no write was made for runs of both accounts


async def test_each_rule_calls_the_account_that_it_names(bench_of_sales: Bench) -> None:
    called: list[object] = []
    bench = bench_of_sales
    known = dict(bench.desk.actions)
    run = known["blend"].run

    async def noting(args: Args, sakari: Sakari) -> object:
        called.append(sakari)
        return await run(args, sakari)

    bench.desk = replace(bench.desk, actions={**known, "blend": replace(known["blend"], run=noting)})
    await bench.happen("a")
    await bench.drain()
    assert called == [bench.sales, bench.far]  # type: ignore[attr-defined]
    assert bench.far.calls == [Call("blend", Args("7", {"a": 1}))] * 2
    await asyncio.sleep(0)
