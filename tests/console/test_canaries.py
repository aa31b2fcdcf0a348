"""Canaries: secrets, phone numbers and addresses sent through every path turn up nowhere that they should not."""

import contextlib
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from service.dev.processes import embedded_redis
from service.store import dead, journal
from tests import local
from tests.observe.tracing import Collector, collecting
from tests.system import conftest as system
from tests.system.conftest import Installation, a_new_id, hubspot, until

PEOPLE = ["canary.person@example.com", "+15550177991", "5550177991", "Canaria Finch", "canaria finch"]
SECRETS = {
    "SLUICE_ADMIN_TOKEN": "canary-admin-token",
    "SLUICE_VIEWER_TOKEN": "canary-viewer-token",
    "SLUICE_HUBSPOT_CLIENT_SECRET": "canary-hubspot-secret",
    "SLUICE_HUBSPOT_WORKFLOW_SECRET": "canary-workflow-secret",
    "SLUICE_PIPEDRIVE_PASSWORD": "canary-pipedrive-password",
    "SLUICE_SAKARI_CLIENT_SECRET": "canary-sakari-secret",
    "OTEL_EXPORTER_OTLP_HEADERS": "x-key=canary-collector-key",
}
CANARIES = [*PEOPLE, *(secret.rpartition("=")[2] for secret in SECRETS.values()), "canary-wrong-token"]

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]

RULES = """
version: 1
rules:
  - id: greets-by-name
    event: [contact.updated, contact.enrolled]
    then:
      - do: upsert_contact
        with:
          contact: { mobile: { number: "${contact.phone | e164}" }, firstName: "${contact.firstname | upper}" }
  - id: copies
    event: [contact.updated, person.updated]
    when: { any: [contact.firstname: { contains: Canaria }, person.name: { contains: Canaria }] }
    then:
      - do: update_attributes
        with: { type: contacts, contact: { hubspot: { id: "1" }, attributes: { hello: "${contact.firstname}" } } }
"""


class Watched(Struct, frozen=True):
    """An installation, and where its processes write."""

    installation: Installation
    folder: Path
    collector: Collector

    @property
    def url(self) -> str:
        return self.installation.environ["SLUICE_PUBLIC_URL"]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    for name in ("redis", "rules"):
        (tmp_path / name).mkdir()
    (tmp_path / "rules" / "r.yaml").write_text(RULES)
    async with contextlib.AsyncExitStack() as stack:
        redis_url = await stack.enter_async_context(embedded_redis(tmp_path / "redis"))
        collector = await stack.enter_async_context(collecting())
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        environ = system.environment(redis_url, tmp_path, SLUICE_RULES=str(tmp_path / "rules"), **SECRETS, **tracing)
        await stack.enter_async_context(system.sandbox(environ, tmp_path))
        await stack.enter_async_context(system.ingress(environ, tmp_path))
        await stack.enter_async_context(system.worker(environ, tmp_path))
        yield Watched(await stack.enter_async_context(system.opened(environ)), tmp_path, collector)


async def test_no_canary_is_heard_in_logs_metrics_traces_and_masked_pages(watched: Watched) -> None:
    await _send_everywhere(watched)
    await _settled(watched.installation)
    await _traced(watched)
    shown = await _look_everywhere(watched)
    assert len(shown) > 25
    heard = {
        (place, canary) for place, text in shown.items() for canary in CANARIES if canary.casefold() in text.casefold()
    }
    assert heard == set()
    assert "canary.person@example.com" in await _unmasked(watched), "the canaries never got in"


async def _send_everywhere(watched: Watched) -> None:
    """Put canaries into every delivery, whether it is good, refused or nonsense, and into every way to sign in."""
    to, email, phone, name = watched.installation, *PEOPLE[:2], PEOPLE[3]
    await to.misbehave(
        {"path": "/contacts", "status": 400, "times": 3}, {"path": "/contacts", "status": 503, "times": 2}
    )
    for prop, value in (("email", email), ("phone", phone), ("firstname", name), ("lastname", name)):
        await to.hubspot(hubspot(a_new_id(), prop, value))
    await to.deliver("/webhooks/hubspot", [{"objectId": email, "propertyValue": phone}])
    await to.deliver("/webhooks/hubspot", f'{{"x": "{email}'.encode())
    await to.deliver("/webhooks/pipedrive", system.pipedrive(7, name))
    await to.deliver("/webhooks/pipedrive", {"meta": {"action": email, "entity": phone}, "data": name})
    properties = {"email": email, "firstname": name, "phone": phone}
    for header in ({"traceparent": email}, {"traceparent": phone, "tracestate": f"x={phone}", "baggage": f"x={email}"}):
        payload = msgspec.json.encode([hubspot(a_new_id(), "firstname", name)])
        proof = to.routes["/webhooks/hubspot"].sign("POST", "/webhooks/hubspot", payload, time.time_ns() // 1_000_000)
        await to.deliver("/webhooks/hubspot", payload, headers={**proof, **header})
    flat = {"portalId": 1, "objectType": "CONTACT", "objectId": 5, "properties": properties}
    await to.deliver("/webhooks/hubspot/workflow", flat)
    for headers in ({"x-sluice-secret": "canary-wrong-token"}, {"authorization": "Bearer canary-wrong-token"}, {}):
        await to.deliver("/webhooks/hubspot/workflow", flat, headers=headers)
    await to.http.post(watched.url + "/console/sign-in", data={"token": "canary-wrong-token"})
    wrong = {"authorization": "Bearer canary-wrong-token"}
    await to.http.get(watched.url + f"/api/events?object_id={email}", headers=wrong)


async def _settled(to: Installation) -> None:
    async def ended() -> bool:
        stories = await journal.stories(to.store, await journal.newest(to.store, 100))
        return len(stories) >= 5 and all(story.ended for story in stories)

    await until(ended)


async def _traced(watched: Watched) -> None:
    """Wait until the collector has seen every kind of span, and of those that failed."""
    kinds = {"delivery", "plan", "accept", "run", "step", "call"}

    async def seen() -> bool:
        spans = watched.collector.spans
        failed = {span.name.split()[0] for span in spans if span.failed}
        return {span.name.split()[0] for span in spans} == kinds and {"run", "step", "call"} <= failed

    await until(seen)


async def _look_everywhere(watched: Watched) -> dict[str, str]:
    """Everything that people and machines see without asking for personal data: place -> text."""
    to = watched.installation
    events = [event.id for event in await journal.newest(to.store, 100)]
    letters = [letter.id for letter in await dead.newest(to.store, 100)]
    assert letters
    paths = ["", "/events", "/rules", "/rules/copies", "/dead", "/api", "/playground"]
    paths += [f"/events/{event}" for event in events] + [
        f"/playground?event={event}&rule=greets-by-name" for event in events
    ]
    paths += [f"/dead/{letter}" for letter in letters]
    seen: dict[str, str] = {}
    async with local.client(base_url=watched.url) as browser:
        await browser.post("/console/sign-in", data={"token": SECRETS["SLUICE_VIEWER_TOKEN"]})
        for path in paths:
            answer = await browser.get(f"/console{path}")
            assert answer.status_code == 200, path
            seen[f"console{path}"] = answer.text
        mark = re.search(r'name="csrf" value="(\w+)"', seen["console"])
        assert mark is not None
        for event in events:
            form = {"csrf": mark[1], "text": RULES, "event": event}
            seen[f"try {event}"] = (await browser.post("/console/playground/result", data=form)).text.replace(
                "contains Canaria", ""
            )
        proof = {"authorization": f"Bearer {SECRETS['SLUICE_VIEWER_TOKEN']}"}
        api = ["overview", "events", "dead", "rules", *(f"events/{one}" for one in events)]
        api += [f"events/{one}/explain" for one in events] + [f"dead/{one}" for one in letters]
        for path in api:
            seen[f"api/{path}"] = (await browser.get(f"/api/{path}", headers=proof)).text
        for path in ("/metrics", "/readyz"):
            seen[path] = (await browser.get(path)).text
    seen["traces"] = b"".join(watched.collector.bodies).decode(errors="replace")
    for log in watched.folder.glob("*.log"):
        seen[log.name] = log.read_text()
    return seen


async def _unmasked(watched: Watched) -> str:
    proof: dict[str, Any] = {"authorization": f"Bearer {SECRETS['SLUICE_ADMIN_TOKEN']}"}
    answer = await watched.installation.http.get(watched.url + "/api/events?unmasked=true", headers=proof)
    return msgspec.json.encode(answer.json()).decode()
