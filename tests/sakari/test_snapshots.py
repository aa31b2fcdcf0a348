"""One reading serves many; whoever waits is told so; what fails is told to all who wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import Permanent, Retryable
from service.sakari.blocks import SIZE, blocks, packed, unpacked
from service.sakari.client import Sakari
from service.sakari.identity import Identity, concerns, identities, key
from service.sakari.models import Execution, execution
from service.sakari.snapshots import Snapshots
from service.sandbox.state import Campaign, Fault
from service.store import Store
from service.store.snapshots import SnapshotShelf
from tests.sakari.rig import Rig

MINUTE_MS = 60_000
Read = Callable[[], AsyncIterator[list[Execution]]]
CHRIS = frozenset({("hubspot", "7")})


def rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"e{n}", "status": "active", "contact": {"hubspot": {"id": n}}} for n in range(count)]


async def asked(readings: Snapshots, wanted: frozenset[Identity], read: Read) -> list[Execution]:
    """Ask as a lane does: again for as long as it is told to wait, though without waiting as long as it is told."""
    while True:
        try:
            return await readings.find("c1", wanted, MINUTE_MS, read)
        except Retryable as error:
            if error.due is None:
                raise


class Worker:
    """One worker process's view: a client with snapshots of its own over the shared shelf."""

    def __init__(self, rig: Rig, store: Store) -> None:
        self.snapshots = Snapshots(SnapshotShelf(store, "demo"), now=time.time)
        self.sakari = Sakari(rig.line, "demo", rig.tokens, snapshots=self.snapshots)

    async def find(self, wanted: frozenset[Identity] | None, fresh_ms: int = MINUTE_MS, **more: Any) -> list[Any]:
        """As `asked`."""
        while True:
            try:
                found = await self.sakari.find_executions("c1", wanted, fresh_ms=fresh_ms, **more)
            except Retryable as error:
                if error.due is None:
                    raise
            else:
                return [each.id for each in found]


@pytest.fixture
async def workers(rig: Rig, store: Store) -> AsyncIterator[Callable[[], Worker]]:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker(rig, store))
        return made[-1]

    yield make
    for worker in made:
        await worker.sakari.close()


async def test_many_events_of_many_workers_cost_one_reading(rig: Rig, workers: Callable[[], Worker]) -> None:
    rig.campaign(Campaign(rows(95), page_size=10))
    asked = [(worker, n) for worker in (workers(), workers(), workers()) for n in range(95)]
    found = await asyncio.gather(*(worker.find(frozenset({("hubspot", str(n))})) for worker, n in asked))
    assert found == [[f"e{n}"] for _, n in asked]
    assert rig.calls("/executions") == {"200": 10}


async def test_everybody_is_found_in_the_order_of_sakari(rig: Rig, workers: Callable[[], Worker]) -> None:
    rig.campaign(Campaign(rows(SIZE * 60 + 5), page_size=500))
    assert await workers().find(None) == [f"e{n}" for n in range(SIZE * 60 + 5)]


async def test_an_empty_campaign_is_known_to_be_empty(rig: Rig, workers: Callable[[], Worker]) -> None:
    rig.campaign(Campaign([]))
    worker = workers()
    assert [await worker.find(CHRIS), await worker.find(None)] == [[], []]
    assert rig.calls("/executions") == {"200": 1}


async def test_fresh_0_always_reads_and_leaves_nothing(rig: Rig, workers: Callable[[], Worker], store: Store) -> None:
    rig.campaign(Campaign(rows(10), page_size=10))
    worker = workers()
    assert [await worker.find(CHRIS, fresh_ms=0) for _ in range(3)] == [["e7"]] * 3
    assert rig.calls("/executions") == {"200": 3}
    assert await store.redis.keys("sluice:snapshot*") == []


async def test_another_version_is_another_reading(rig: Rig, workers: Callable[[], Worker]) -> None:
    rig.campaign(Campaign(rows(10), page_size=10))
    worker = workers()
    await worker.find(CHRIS)
    await worker.find(CHRIS, version_id="v1")
    assert rig.calls("/executions") == {"200": 2}


async def test_a_long_reading_holds_no_lane_up(rig: Rig, workers: Callable[[], Worker]) -> None:
    rig.campaign(Campaign(rows(10), page_size=10))
    rig.faults(Fault(path="/executions", slow_ms=1500, times=1))
    worker, other = workers(), workers()
    for asking in (worker, other):
        with pytest.raises(Retryable) as caught:
            await asking.sakari.find_executions("c1", CHRIS, fresh_ms=MINUTE_MS)
        assert caught.value.reason == "campaign_being_read"
        assert caught.value.due is not None
    assert await other.find(CHRIS) == ["e7"]
    assert rig.calls("/executions") == {"200": 1}


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (Fault(path="/executions", status=404, times=1), Permanent, "http_404"),
        (Fault(path="/executions", status=429, retry_after=3600, times=1), Retryable, "rate_limited"),
    ],
)
async def test_a_failure_is_met_once_and_told_to_all(
    rig: Rig, workers: Callable[[], Worker], fault: Fault, kind: type[Exception], reason: str
) -> None:
    rig.campaign(Campaign(rows(10)))
    rig.faults(fault)
    asked = [worker.find(CHRIS) for worker in (workers(), workers()) for _ in range(5)]
    told: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    assert {(type(error), error.reason) for error in told} == {(kind, reason)}
    assert {getattr(error, "after_s", None) for error in told} == ({3600.0} if kind is Retryable else {None})
    assert rig.calls("/executions") == {str(fault.status): 1}


async def test_a_page_that_fails_does_not_cost_the_pages_before_it(rig: Rig, workers: Callable[[], Worker]) -> None:
    rig.campaign(Campaign(rows(40), page_size=10))
    rig.faults(
        Fault(path="/executions", probability=0.5, status=503, retry_after=0, times=3), Fault(path="/none"), seed=3
    )
    assert await workers().find(CHRIS) == ["e7"]
    assert rig.calls("/executions") == {"200": 4, "503": 3}


async def test_a_worker_that_stops_lets_another_one_read_at_once(
    rig: Rig, workers: Callable[[], Worker], store: Store
) -> None:
    rig.campaign(Campaign(rows(10)))
    rig.faults(Fault(path="/executions", slow_ms=5_000, times=1))
    leaving = workers()
    with pytest.raises(Retryable):
        await leaving.sakari.find_executions("c1", CHRIS, fresh_ms=MINUTE_MS)
    assert (await SnapshotShelf(store, "demo").look("c1", [], MINUTE_MS)).state == "busy"
    await leaving.sakari.close()
    assert (await SnapshotShelf(store, "demo").look("c1", [], MINUTE_MS)).state == "ours"


async def test_a_campaign_beyond_all_bounds_is_refused(store: Store) -> None:
    async def read() -> AsyncIterator[list[Execution]]:
        yield [execution(row) for row in rows(101)]

    readings = Snapshots(SnapshotShelf(store, "demo"), now=time.time, most=100)
    with pytest.raises(Permanent) as caught:
        await asked(readings, CHRIS, read)
    assert caught.value.reason == "campaign_too_large"


async def test_a_fault_of_ours_is_no_endless_wait(store: Store) -> None:
    async def read() -> AsyncIterator[list[Execution]]:
        yield [execution({"id": "1"})]
        raise ZeroDivisionError

    with pytest.raises(Retryable) as caught:
        await asked(Snapshots(SnapshotShelf(store, "demo"), now=time.time), CHRIS, read)
    assert caught.value.reason == "reading_broke"


IDS = st.one_of(st.none(), st.integers(0, 3), st.integers(2**64, 2**64 + 3), st.sampled_from(["1", "2", "x", " ", ""]))
CONTACTS = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS,
        "hubspot": st.one_of(st.none(), st.fixed_dictionaries({"id": IDS}), st.fixed_dictionaries({"vid": IDS})),
        "pipedrive": st.fixed_dictionaries({"id": IDS}),
        "email": st.sampled_from(["a@example.com", " A@Example.com", ""]),
        "mobile": st.sampled_from(
            [{"number": "+12025550177"}, {"number": "202 555 0177", "country": "US"}, "2025550177", {"country": "US"}]
        ),
    },
)
EXECUTIONS = st.fixed_dictionaries({"id": IDS, "contact": st.one_of(st.none(), CONTACTS)})
WANTED = st.frozensets(
    st.sampled_from(
        [("hubspot", "1"), ("sakari", "x"), ("pipedrive", "2"), ("mobile", "12025550177"), ("email", "a@example.com")]
    ),
    min_size=1,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raws=st.lists(EXECUTIONS, max_size=80), wanted=WANTED)
async def test_a_snapshot_gives_what_reading_everything_gives(
    store: Store, raws: list[dict[str, Any]], wanted: frozenset[Identity]
) -> None:
    await store.redis.flushall()
    pages = [[execution(raw) for raw in raws[at : at + 7]] for at in range(0, len(raws), 7)]

    async def read() -> AsyncIterator[list[Execution]]:
        for page in pages:
            yield page

    readings = Snapshots(SnapshotShelf(store, "demo"), now=time.time)
    expected = [each.raw for page in pages for each in page if concerns(each, wanted)]
    assert [each.raw for each in await asked(readings, wanted, read)] == expected
    await readings.close()


@given(st.lists(st.integers(0, 70), max_size=6))
async def test_blocks_hold_everything_in_order(sizes: list[int]) -> None:
    numbers = iter(range(1000))
    pages = [[Execution(id=next(numbers)) for _ in range(size)] for size in sizes]

    async def read() -> AsyncIterator[list[Execution]]:
        for page in pages:
            yield page

    found = [block async for block in blocks(read())]
    assert [each.id for block in found for each in block] == [each.id for page in pages for each in page]
    assert all(len(block) == SIZE for block in found[:-1])


def test_a_block_keeps_only_what_a_rule_can_see_and_its_index_shows_nobody() -> None:
    raw = {"id": "1", "status": "active", "entered": "2026", "contact": {"email": "a@example.com"}, "internal": "x"}
    block, found_by = packed([execution(raw)])
    assert [each.raw for each in unpacked(block)] == [{name: raw[name] for name in raw if name != "internal"}]
    assert len(found_by) == 8 * len(identities(execution(raw)))
    assert key(("email", "a@example.com")) in found_by
    assert b"example" not in found_by
    assert msgspec.json.encode(raw) not in block
