"""Sending fixtures: signed as the CRM would, over HTTP. What `sluice send` and the demo use."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from service.errors import Malformed, SettingsError
from service.settings import read
from service.sources import SOURCES
from service.sources.delivery import Delivery, Normalised, Route
from service.sources.fixture import Fixture, read_fixture


class Sample(Struct, frozen=True):
    """A fixture of the demo, and how the rules in `rules/` say that its runs end: rule id -> state."""

    source: str
    fixture: str
    ends: dict[str, str]


SAMPLES = (
    Sample("hubspot", "contact.updated__lifecyclestage_customer", {"customer-leaves-nurture": "done"}),
    Sample("pipedrive", "deal.updated__stage_won", {"won-deal-thanks": "done"}),
    Sample("hubspot", "ticket.updated__closed", {"ticket-closed-follow-up": "done"}),
    Sample("pipedrive", "person.updated__phone", {"person-phone-to-sakari": "done"}),
    Sample("hubspot", "contact.created__ui", {}),
)


def find(fixtures: Path, source: str, name: str) -> Path:
    """Find a fixture by name, or by the path of its folder. Raises FileNotFoundError that lists what there is."""
    for folder in (fixtures / source / name, Path(name)):
        if (folder / "request.http").is_file():
            return folder
    known = sorted(path.parent.name for path in fixtures.glob(f"{source}/*/request.http"))
    raise FileNotFoundError(f"no fixture `{name}` for {source}; there are: {', '.join(known) or 'none here'}")


def normalised(folder: Path, now_ms: int) -> Normalised:
    """What a fixture means to its source: signed with a made-up secret, verified and normalised as a delivery is.

    Raises Malformed if it is no request that a source takes.
    """
    fixture = read_fixture(folder)
    path = fixture.target.partition("?")[0]
    route = next((route for route in configured_routes(_made_up()) if route.path == path), None)
    if route is None:
        raise Malformed(f"{folder.name}/request.http: no source takes {path}")
    proof = route.sign(fixture.method, fixture.target, fixture.body, now_ms)
    delivery = Delivery(
        method=fixture.method,
        target=fixture.target,
        headers={name.lower(): value for name, value in proof.items()},
        body=fixture.body,
        received_at=now_ms,
    )
    return route.normalise(route.verify(delivery))


def _made_up() -> dict[str, str]:
    """Settings that open every path of every source."""
    secrets = {
        f"SLUICE_{name.upper()}_{field.name.upper()}": "made-up"
        for name, source in SOURCES.items()
        for field in msgspec.structs.fields(source.Config)
        if field.type is not bool
    }
    return {"SLUICE_PUBLIC_URL": "http://127.0.0.1", **secrets}


def configured_routes(environ: Mapping[str, str]) -> list[Route]:
    """Make the routes of every source that has a secret in `environ`. Raises SettingsError if a setting is malformed."""
    found = read({source.Config: f"SLUICE_{name.upper()}_" for name, source in SOURCES.items()}, environ)
    url = environ["SLUICE_PUBLIC_URL"]
    return [route for source in SOURCES.values() for route in source.routes(found.of(source.Config), url)]


async def send(
    client: httpx.AsyncClient, routes: Sequence[Route], folder: Path, *, url: str, fresh: bool
) -> httpx.Response:
    """Send a fixture to the ingress at `url`. `fresh` makes it a new fact that occurs now."""
    fixture: Fixture = read_fixture(folder)
    path = fixture.target.partition("?")[0]
    route = next((route for route in routes if route.path == path), None)
    if route is None:
        raise SettingsError([f"there is no secret for {path}; set the source's SLUICE_… secrets as for `sluice serve`"])
    now = time.time_ns() // 1_000_000
    body = SOURCES[route.source].refresh(fixture.body, now) if fresh else fixture.body
    headers = {"content-type": "application/json", **route.sign(fixture.method, fixture.target, body, now)}
    return await client.request(fixture.method, url.rstrip("/") + fixture.target, content=body, headers=headers)
