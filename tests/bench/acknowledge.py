"""How fast deliveries are acknowledged: Redis and an ingress, no worker; the same sender asks a bare Litestar echo.

And a bare function under the same server, `asgi`: what is left if nothing at all is done.

One event in ten matches a rule. Ten deliveries are under way at once, which is what HubSpot allows itself for an account
(https://developers.hubspot.com/docs/api-reference/legacy/webhooks/guide), and fifty besides: several accounts, or Pipedrive.
"""

import sys
from contextlib import AsyncExitStack

from msgspec import Struct

from service.dev.processes import free_port
from service.sources.delivery import Route
from tests.bench.deliveries import deliveries
from tests.bench.installed import a_redis, an_ingress, environment, hubspot_route, listening
from tests.bench.load import Sent, send
from tests.bench.measure import Measure, Place, Row, Target, share

_NOBODY = 9
"""The discard port: an ingress never calls Sakari."""


class _Doors(Struct, frozen=True):
    """The ports of the servers, by the names of the figures."""

    ports: dict[str, int]
    route: Route

    async def ask(self, name: str, count: int, events: int, *, at_once: int, every_s: float = 0.0) -> Sent:
        requests = deliveries(self.route, count, events=events, match_every=10)
        sent = await send(self.ports[name], requests, at_once=at_once, every_s=every_s)
        assert sent.statuses == {200}, (name, sent.statuses)
        return sent


async def once(place: Place) -> dict[str, float]:
    """Start everything, and ask each server in turn."""
    async with AsyncExitStack() as stack:
        doors = await _open(stack, place)
        for name in doors.ports:
            await doors.ask(name, place.size(500, 10), 1, at_once=10)
            await doors.ask(name, place.size(50, 10), 100, at_once=10)
        figures: dict[str, float] = {}
        for name in doors.ports:
            for at_once in (10, 50):
                sent = await doors.ask(name, place.size(3_000, 50), 1, at_once=at_once)
                figures |= {f"{name}_1_{at_once}": sent.rate, f"sender_{name}_{at_once}": sent.busy * 100}
        for name in doors.ports:
            sent = await doors.ask(name, place.size(400, 10), 100, at_once=10)
            figures |= {f"{name}_100": sent.rate * 100, f"{name}_100_p99": share(sent.waits, 0.99) * 1000}
        for name in ("echo", "fsync"):
            sent = await doors.ask(name, place.size(300, 10), 1, at_once=10, every_s=1 / 50)
            figures |= {f"{name}_p50": share(sent.waits, 0.5) * 1000, f"{name}_p99": share(sent.waits, 0.99) * 1000}
        return figures


async def _open(stack: AsyncExitStack, place: Place) -> _Doors:
    ports, environ = {}, {}
    for name, extra in (("echo", ()), ("asgi", ("asgi",))):
        ports[name] = free_port()
        command = (sys.executable, "-m", "tests.bench.echo", str(ports[name]), *extra)
        await stack.enter_async_context(listening(place.folder / f"{name}.log", ports[name], *command))
    for name, sync in (("fsync", "always"), ("memory", "everysec")):
        url, _ = await stack.enter_async_context(a_redis(place.folder, "--appendfsync", sync))
        environ = environment(url, _NOBODY, place.folder, SLUICE_DURABILITY=name)
        environ["SLUICE_PUBLIC_URL"] = "http://127.0.0.1"  # one signature for both
        await stack.enter_async_context(an_ingress(environ, place.folder))
        ports[name] = int(environ["SLUICE_PORT"])
    return _Doors(ports, hubspot_route(environ))


def _rates() -> list[Row]:
    rows = []
    for at_once in (10, 50):
        beside = f"echo_1_{at_once}"
        rows += [
            Row(
                figure=f"asgi_1_{at_once}", title=f"bare function, 1 a delivery, {at_once} at once", unit="deliveries/s"
            ),
            Row(figure=beside, title=f"bare Litestar echo, 1 a delivery, {at_once} at once", unit="deliveries/s"),
            Row(
                figure=f"fsync_1_{at_once}",
                title=f"acknowledge, 1 a delivery, {at_once} at once, fsync",
                unit="deliveries/s",
                beside=beside,
                target=Target("≥", 0.75, "ratio") if at_once == 50 else None,  # ten all wait for one sync
            ),
            Row(
                figure=f"memory_1_{at_once}",
                title=f"acknowledge, 1 a delivery, {at_once} at once, memory",
                unit="deliveries/s",
                beside=beside,
            ),
            Row(
                figure=f"sender_echo_{at_once}",
                title=f"the sender meanwhile: echo, {at_once} at once",
                unit="% of a core",
            ),
            Row(
                figure=f"sender_fsync_{at_once}",
                title=f"the sender meanwhile: fsync, {at_once} at once",
                unit="% of a core",
            ),
        ]
    return rows


MEASURE = Measure(
    "acknowledge",
    (
        *_rates(),
        Row(figure="echo_100", title="bare Litestar echo, 100 a delivery", unit="events/s"),
        Row(
            figure="fsync_100",
            title="acknowledge, 100 a delivery, fsync",
            unit="events/s",
            beside="echo_100",
            target=Target("≥", 40_000),
        ),
        Row(figure="memory_100", title="acknowledge, 100 a delivery, memory", unit="events/s", beside="echo_100"),
        Row(figure="echo_100_p99", title="bare echo, 10 × 100 events at once, p99", unit="ms"),
        Row(
            figure="fsync_100_p99",
            title="acknowledge 10 × 100 events at once, p99",
            unit="ms",
            beside="echo_100_p99",
            target=Target("≤", 50),
        ),
        Row(figure="echo_p50", title="bare echo, 50 deliveries a second, p50", unit="ms"),
        Row(
            figure="fsync_p50",
            title="acknowledge 50 deliveries a second, p50",
            unit="ms",
            beside="echo_p50",
            target=Target("≤", 5),
        ),
        Row(figure="echo_p99", title="bare echo, 50 deliveries a second, p99", unit="ms"),
        Row(figure="fsync_p99", title="acknowledge 50 deliveries a second, p99", unit="ms", beside="echo_p99"),
    ),
    once,
)
