"""Senders that behave as the CRMs do: HubSpot comes back until it is answered 2xx, Pipedrive gives up after three retries."""

import asyncio
import heapq
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from service.dev.samples import configured_routes
from tests.chaos.stream import Sending, Stream, notification

HUBSPOT, PIPEDRIVE = "/webhooks/hubspot", "/webhooks/pipedrive"
_BATCH = 100
_IN_FLIGHT = 10
_TICK_S = 0.05
_ANSWER_WITHIN_S = 5.0
_PIPEDRIVE_RETRIES_S = (0.3, 1.0, 3.0)
"""Pipedrive's own delays, 3, 30 and 150 s, scaled down."""


class Answer(Struct, frozen=True):
    """What a delivery was told. `asked`: seconds since the epoch."""

    source: str
    asked: float
    took_s: float
    status: int


class Crms:
    """Both CRMs. `answered`: facts for which a 2xx came; `outcomes`: deliveries by what came of them."""

    def __init__(self, stream: Stream, ports: Sequence[int], environ: Mapping[str, str], dice: random.Random) -> None:
        self._stream = stream
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        self._routes = {route.path: route for route in configured_routes(environ)}
        self._dice = dice
        self._started = 0.0
        self.answered: set[int] = set()
        self.outcomes: Counter[str] = Counter()
        self.answers: list[Answer] = []

    async def send_all(self, within_s: float) -> None:
        """Send the whole stream at its times. Raises TimeoutError if HubSpot was not answered in the end."""
        self._started = time.monotonic()
        by_source: dict[str, list[Sending]] = {"hubspot": [], "pipedrive": []}
        for sending in self._stream.sendings:
            by_source[self._stream.facts[sending.fact].source].append(sending)
        slots = asyncio.Semaphore(_IN_FLIGHT)
        async with (
            asyncio.timeout(within_s),
            httpx.AsyncClient(trust_env=False, timeout=_ANSWER_WITHIN_S) as http,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._hubspot(by_source["hubspot"], http))
            for sending in by_source["pipedrive"]:
                group.create_task(self._pipedrive(sending, slots, http))

    async def _hubspot(self, sendings: list[Sending], http: httpx.AsyncClient) -> None:
        """Batch what is due, ten deliveries at a time; what failed is due again later, in other company."""
        order = count()
        waiting = [(sending.at, next(order), sending.attempt, sending) for sending in sendings]
        heapq.heapify(waiting)
        slots, open_ends = asyncio.Semaphore(_IN_FLIGHT), len(sendings)

        async def deliver(batch: list[tuple[float, int, int, Sending]]) -> None:
            nonlocal open_ends
            body = [notification(self._stream.facts[s.fact], s, attempt) for _, _, attempt, s in batch]
            if await self._post(HUBSPOT, body, http):
                self.answered.update(sending.fact for *_, sending in batch)
                open_ends -= len(batch)
            else:
                for _, _, attempt, sending in batch:
                    pause = self._dice.uniform(0.2, min(2.0, 0.4 * 2**attempt))
                    heapq.heappush(waiting, (self._now() + pause, next(order), attempt + 1, sending))
            slots.release()

        async with asyncio.TaskGroup() as group:
            while open_ends:
                due = []
                while waiting and waiting[0][0] <= self._now():
                    due.append(heapq.heappop(waiting))
                self._dice.shuffle(due)
                while due:
                    await slots.acquire()
                    size = self._dice.randint(1, _BATCH)
                    group.create_task(deliver(due[:size]))
                    due = due[size:]
                await asyncio.sleep(_TICK_S)

    async def _pipedrive(self, sending: Sending, slots: asyncio.Semaphore, http: httpx.AsyncClient) -> None:
        await asyncio.sleep(max(0.0, sending.at - self._now()))
        for tried, pause in enumerate((*_PIPEDRIVE_RETRIES_S, 0.0)):
            body = notification(self._stream.facts[sending.fact], sending, sending.attempt + tried)
            async with slots:
                taken = await self._post(PIPEDRIVE, body, http)
            if taken:
                self.answered.add(sending.fact)
                return
            await asyncio.sleep(pause)
        self.outcomes["pipedrive gave up"] += 1

    async def _post(self, path: str, payload: Any, http: httpx.AsyncClient) -> bool:
        """Deliver to either ingress, as a load balancer would; True for a 2xx."""
        body = msgspec.json.encode(payload)
        headers = self._routes[path].sign("POST", path, body, time.time_ns() // 1_000_000)
        headers = {"content-type": "application/json", **headers}
        asked, clock = time.time(), time.monotonic()
        try:
            answer = await http.post(self._dice.choice(self._urls) + path, content=body, headers=headers)
        except httpx.TransportError as error:
            self.outcomes[type(error).__name__] += 1
            return False
        self.outcomes[str(answer.status_code)] += 1
        source = path.rpartition("/")[2]
        self.answers.append(Answer(source, asked, time.monotonic() - clock, answer.status_code))
        return answer.is_success

    def _now(self) -> float:
        return time.monotonic() - self._started
