"""An import that touches ten properties of a contact: ten events, one call of Sakari."""

import asyncio
from random import Random

from service.actions import ACTIONS
from service.engine import load, plan
from service.model import Event
from service.sandbox.state import Settings
from service.store import Store, accept, keys, lanes, rulesets
from service.worker.backoff import Backoff
from service.worker.desk import Desk, Rules
from service.worker.drain import drain_lane
from tests.sakari.rig import rigged, served

NOW = 1_795_350_000_000
PROPERTIES = [f"p{n}" for n in range(10)]
RULES = "version: 1\nrules:\n" + "".join(
    f"  - id: {name}\n    event: contact.updated\n    when: {{ contact.{name}: {{ changed: true }} }}\n"
    f"    then: [{{ do: update_attributes, with: {{ type: contacts, contact: {{ hubspot: {{ id: '${{contact.id}}' }},"
    f" attributes: {{ {name}: '${{contact.{name}}}' }} }} }} }}]\n"
    for name in PROPERTIES
)


def event(number: int, name: str) -> Event:
    return Event(
        source="hubspot",
        account="1",
        type="contact.updated",
        object_id="7",
        occurred_at=NOW + number,
        fact_key=f"f{number}",
        delivery_key=f"d{number}",
        values={"contact.id": "7", f"contact.{name}": f"v{number}"},
        changed=(f"contact.{name}",),
        origin="import",
    )


async def test_ten_properties_of_a_contact_in_one_import_are_one_write(store: Store) -> None:
    rule_set = load({"r.yaml": RULES.encode()}, ACTIONS).rule_set
    await rulesets.keep(store, rule_set.version, rule_set.files)
    plans = [plan(rule_set, event(number, name), NOW) for number, name in enumerate(PROPERTIES)]
    assert [len(made.runs) for made in plans] == [1] * 10
    await accept(store, "hubspot", plans, [], now=NOW)
    async with served(Settings()) as server, rigged(*server) as rig:
        desk = Desk(
            store=store,
            sakari=rig.sakari,
            actions=ACTIONS,
            rules=Rules(store, ACTIONS),
            backoff=Backoff(random=Random(7)),
            now=lambda: NOW,
            stopping=asyncio.Event(),
        )
        await store.redis.zadd(keys.READY, dict.fromkeys(await store.redis.zrange(keys.READY, 0, -1), 1))
        (lane,) = await lanes.claim(store, 5)
        await drain_lane(lane, desk)
        assert [write.body for write in rig.sandbox.writes] == [
            {"hubspot": {"id": 7}, "attributes": {name: f"v{number}" for number, name in enumerate(PROPERTIES)}}
        ]
    assert await store.redis.exists(keys.READY, keys.LEASES, keys.DEAD) == 0
