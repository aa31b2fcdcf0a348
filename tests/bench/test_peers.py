"""The peers that do the same job do it: once, in order, with history, log lines and dead letters; in real processes."""

import asyncio
import itertools
import json
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import Struct
from redis.asyncio import Redis

from tests.bench.deliveries import PATH, property_change
from tests.bench.installed import Installed
from tests.bench.load import request, send
from tests.bench.peer_installed import MISSING, PYTHON, same_job

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PYTHON.exists(), reason=MISSING)]
PEERS = ("celery", "arq", "aiohttp")
Event = dict[str, Any]


class Running(Struct, frozen=True):
    """A peer, and the folder with its logs."""

    installed: Installed
    folder: Path

    async def deliver(self, *deliveries: Sequence[Event]) -> None:
        """Send each as one delivery, ten under way, and wait until nothing is queued any more."""
        now = time.time_ns() // 1_000_000
        bodies = [json.dumps(events).encode() for events in deliveries]
        signed = [request("POST", PATH, self.installed.route.sign("POST", PATH, body, now), body) for body in bodies]
        assert (await send(self.installed.port, signed, at_once=10)).statuses == {200}
        async with asyncio.timeout(30), Redis.from_url(self.installed.redis_url) as redis:
            calm = 0
            while calm < 5:  # Celery holds a job for a moment in neither of its two places
                queued = cast("Awaitable[int]", redis.zcard("arq:queue")), cast("Awaitable[int]", redis.llen("celery"))
                unacked = cast("Awaitable[int]", redis.hlen("unacked"))
                calm = 0 if sum(await asyncio.gather(*queued, unacked)) else calm + 1
                await asyncio.sleep(0.02)

    async def records(self, *asked: str) -> list[dict[str, Any]]:
        """What `python -m tests.bench.peers.records` prints."""
        process = await asyncio.create_subprocess_exec(
            *(str(PYTHON), "-m", "tests.bench.peers.records", *asked),
            env={"REDIS_URL": self.installed.redis_url},
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0
        return [json.loads(line) for line in printed.splitlines()]

    async def jobs(self, events: Iterable[Event]) -> list[dict[str, str]]:
        """What became of each."""
        return [record["job"] for record in await self.records(*(str(event["eventId"]) for event in events))]

    def lines(self, log: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / log).read_text().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module", params=PEERS)
async def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp(request.param)
    async with same_job(request.param)(folder) as installed:
        yield Running(installed, folder)


def _events(first: int, count: int) -> list[Event]:
    """Events that match, with ids of their own."""
    now = time.time_ns() // 1_000_000
    return [property_change(number, now, matches=True) for number in range(first, first + count)]


async def test_an_event_that_is_delivered_twice_is_called_for_once(peer: Running) -> None:
    before, events = await peer.installed.taken(), _events(1_000, 20)
    await peer.deliver(events, *([event] for event in events), events)  # at the same time
    await peer.deliver(events)  # and again, when all has ended
    assert await peer.installed.taken() == before + 20
    assert [(job["state"], job["tries"]) for job in await peer.jobs(events)] == [("done", "1")] * 20


async def test_an_event_that_was_written_down_and_not_queued_is_not_lost(peer: Running) -> None:
    before, events = await peer.installed.taken(), _events(2_000, 1)
    async with Redis.from_url(peer.installed.redis_url) as redis:
        await redis.set("event:2000", "{}")
    await peer.deliver(events)
    assert await peer.installed.taken() == before + 1


async def test_the_calls_of_a_contact_neither_overlap_nor_overtake(peer: Running) -> None:
    before, events = await peer.installed.taken(), _events(3_000, 12)
    for later, event in enumerate(events):
        event.update(objectId=77, occurredAt=event["occurredAt"] + later)
    await peer.deliver(*([event] for event in random.Random(7).sample(events, 12)))
    jobs = await peer.jobs(events)  # in the order in which they occurred
    assert {job["state"] for job in jobs} <= {"done", "stale"}
    assert jobs[-1]["state"] == "done"
    called = [(int(job["began"]), int(job["ended"])) for job in jobs if job["state"] == "done"]
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(called))
    assert await peer.installed.taken() == before + len(called)


async def test_an_older_event_that_comes_late_is_not_called_for(peer: Running) -> None:
    before, (older, newer) = await peer.installed.taken(), _events(4_000, 2)
    older.update(objectId=newer["objectId"], occurredAt=newer["occurredAt"] - 1)
    await peer.deliver([newer])
    await peer.deliver([older])
    assert await peer.installed.taken() == before + 1
    assert [job["state"] for job in await peer.jobs([older, newer])] == ["stale", "done"]


async def test_the_history_tells_what_was_accepted_and_what_became_of_it(peer: Running) -> None:
    (event,), other = _events(5_000, 1), property_change(5_001, 1, matches=False)
    await peer.deliver([event, other])
    matched, unmatched = await peer.records("5000", "5001")
    assert (matched["accepted"]["rule"], matched["accepted"]["payload"]) == ("mark", event)
    assert matched["job"].items() >= {"state": "done", "status": "200", "tries": "1"}.items()
    assert (unmatched["accepted"]["rule"], unmatched["accepted"]["payload"], unmatched["job"]) == (None, other, {})
    assert {"5000", "5001"} <= {record["id"] for record in await peer.records()}


async def test_a_delivery_and_a_job_are_a_line_in_the_log(peer: Running) -> None:
    await peer.deliver(_events(6_000, 2))
    delivery = peer.lines("ingress.log")[-1]
    assert (delivery["event"], delivery["accepted"], delivery["duplicates"]) == ("delivery", 2, 0)
    jobs = [line for line in peer.lines("worker.log") if line["event"] == "job" and line["id"] in {6_000, 6_001}]
    assert [(line["state"], line["status"]) for line in jobs] == [("done", "200")] * 2


@pytest.mark.parametrize("name", PEERS)
async def test_what_fails_is_tried_again_and_what_is_refused_is_a_dead_letter(name: str, tmp_path: Path) -> None:
    calls: list[str] = []
    server = await asyncio.start_server(lambda *streams: _moody(calls, *streams), "127.0.0.1", 0)
    moody = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, same_job(name, SAKARI_URL=moody)(tmp_path) as installed:
        peer, (fails_once, refused) = Running(installed, tmp_path), _events(7_000, 2)
        fails_once["objectId"], refused["objectId"] = 500, 422
        await peer.deliver([fails_once, refused])
        first, second = await peer.jobs([fails_once, refused])
        assert (first["state"], first["tries"], first["status"]) == ("done", "2", "200")
        assert (second["state"], second["tries"], second["status"]) == ("dead", "1", "422")
        assert [record["id"] for record in await peer.records("dead")] == ["7001"]
    assert sorted(calls) == ["422", "500", "500"]


async def _moody(calls: list[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A far side that refuses contact 422, and fails once for contact 500. One call a connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    sent = (await reader.readexactly(int(length[1]) if length else 0)).decode()
    status, body = 200, b'{"access_token": "moody"}'
    if b"/oauth2/token" not in head:
        contact = json.loads(sent)["hubspot"]["id"]
        calls.append(contact)
        status = 200 if contact == "500" and calls.count("500") > 1 else int(contact)
    writer.write(b"HTTP/1.1 %d -\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
    await writer.drain()
    writer.close()
