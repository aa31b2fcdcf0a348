"""How long it takes from a delivery to the call of Sakari, at 50 events a second; all of them match.

The yardstick is the bare transport: the same sender posts to the far side itself, at the same pace.
"""

import re

from tests.bench.deliveries import deliveries
from tests.bench.installed import Installed, sluice_installed
from tests.bench.load import request, send
from tests.bench.measure import Measure, Place, Row, Target, share

A_SECOND = 50
SECONDS = 10.0
_PATH = "/v1/accounts/bench/attributes/contacts"
_CONTACT = re.compile(r'"id":\s*"?(\d+)')


async def once(place: Place) -> dict[str, float]:
    """Send at an even pace, and look up when each event's call arrived."""
    count = int(A_SECOND * place.seconds(SECONDS))
    async with sluice_installed(place.folder) as installed:
        await installed.warm_up()
        post = [request("POST", _PATH, {"content-type": "application/json"}, b'{"id": 1}')] * count
        bare = (await send(installed.far, post, at_once=10, every_s=1 / A_SECOND)).waits
        waits = await _end_to_end(installed, count)
    return {
        "bare_p50": share(bare, 0.5) * 1000,
        "bare_p99": share(bare, 0.99) * 1000,
        "p50": share(waits, 0.5) * 1000,
        "p99": share(waits, 0.99) * 1000,
    }


async def _end_to_end(installed: Installed, count: int) -> tuple[float, ...]:
    """Seconds from the sending of each event to the arrival of its call."""
    requests, before = deliveries(installed.route, count), await installed.taken()
    sent = await send(installed.port, requests, at_once=10, every_s=1 / A_SECOND)
    assert sent.statuses == {200}, sent.statuses
    await installed.reached(before + count)
    arrived = {_contact(body): at for at, body in (await installed.arrivals())[before:]}
    return tuple(arrived[_contact(raw.decode())] - due for raw, due in zip(requests, sent.dues, strict=True))


def _contact(text: str) -> int:
    """The contact's id in HubSpot, in a delivery or in the body of a call."""
    found = re.search(r'"objectId":(\d+)', text) or _CONTACT.search(text)
    assert found, text
    return int(found[1])


MEASURE = Measure(
    "latency",
    (
        Row(figure="bare_p50", title="bare call of the far side, 50 a second, p50", unit="ms"),
        Row(
            figure="p50",
            title="delivery to call, 50 events a second, p50",
            unit="ms",
            beside="bare_p50",
            target=Target("≤", 15),
        ),
        Row(figure="bare_p99", title="bare call of the far side, 50 a second, p99", unit="ms"),
        Row(
            figure="p99",
            title="delivery to call, 50 events a second, p99",
            unit="ms",
            beside="bare_p99",
            target=Target("≤", 60),
        ),
    ),
    once,
)
