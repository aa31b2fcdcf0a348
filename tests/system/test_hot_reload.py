"""Rules change under running ingresses: good ones are taken up by all, broken ones are told and turn nothing off."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from service.dev.processes import free_port
from service.store import Options, open_store, rulesets
from tests import local
from tests.system.conftest import a_new_id, environment, hubspot, ingress, opened, until

pytestmark = pytest.mark.slow

RULE = """\
version: 1
rules:
  - id: {id}
    event: contact.updated
    when: {{ source: hubspot }}
    then:
      - do: update_attributes
        with: {{ type: contacts, contact: {{ hubspot: {{ id: "${{contact.id}}" }}, firstName: x }} }}
"""


async def readiness(environ: dict[str, str]) -> dict[str, Any]:
    async with local.client() as http:
        found: dict[str, Any] = (await http.get(environ["SLUICE_PUBLIC_URL"] + "/readyz")).json()
        return found


async def test_running_ingresses_take_up_what_changes(redis_url: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "a.yaml").write_text(RULE.format(id="before"))
    environ = environment(redis_url, tmp_path, SLUICE_RULES=str(rules))
    port = free_port()
    other = {
        **environ,
        "SLUICE_PORT": str(port),
        "SLUICE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SLUICE_SPILL_DIR": "",
    }
    store = open_store(redis_url, Options())
    await store.redis.flushall()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(ingress(environ, tmp_path))
        await stack.enter_async_context(ingress(other, tmp_path))
        both = await stack.enter_async_context(opened(environ))
        first = (await readiness(environ))["ruleset"]
        assert first == (await readiness(other))["ruleset"]

        (rules / "a.yaml").write_text(RULE.format(id="after"))

        async def same_new_rules() -> str | None:
            seen = {(await readiness(one))["ruleset"] for one in (environ, other)}
            return None if first in seen or len(seen) > 1 else seen.pop()

        second = await until(same_new_rules)
        number = a_new_id()
        await both.hubspot(hubspot(number))
        assert await both.metric('sluice_planned_total{mode="live",rule="after"}') == 1
        assert await both.metric(f'sluice_ruleset_info{{version="{second}"}}') == 1
        assert (await rulesets.in_force(store) or ("",))[0] == second

        (rules / "a.yaml").write_text("version: 1\nrules: [{")

        async def told() -> dict[str, Any] | None:
            found = await readiness(environ)
            return found if found["problems"] else None

        found = await until(told)
        assert (found["ready"], found["ruleset"]) == (True, second)
        assert found["problems"][0] == "a.yaml is broken: its last good version stays in force"
        assert await both.metric("sluice_rules_broken_files") == 1
        assert "rules reloaded" in (tmp_path / "ingress.log").read_text()
    await store.close()
