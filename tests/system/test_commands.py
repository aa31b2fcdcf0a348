"""Commands against a whole installation: sending, serving, working, and what the logs say about people."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from service.dev.processes import embedded_redis, free_port, redis_binary, running, sluice
from tests.system.conftest import Installation, a_new_id, environment, hubspot, until

FIXTURES = str(Path(__file__).parents[1] / "fixtures")


async def _run(*arguments: str, environ: dict[str, str]) -> tuple[int, str]:
    """Run a command of ours to its end; its exit code and everything that it printed."""
    process = await asyncio.create_subprocess_exec(
        *sluice(*arguments),
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_a_fixture_sent_twice_is_known_and_a_fresh_one_is_new(installation: Installation) -> None:
    send = ("send", "hubspot", "contact.updated__email_own_app_retried", "--fixtures", FIXTURES)
    first = await _run(*send, environ=installation.environ)
    again = await _run(*send, environ=installation.environ)
    fresh = await _run(*send, "--fresh", environ=installation.environ)

    assert first == (0, '200 {"accepted":1,"duplicates":0}\n')
    assert again[0] == 0
    assert again[1].startswith('200 {"accepted":0,"duplicates":1}\n')
    assert "--fresh makes it a new fact" in again[1]
    assert fresh == first


async def test_a_fixture_may_be_named_by_its_folder_and_sent_elsewhere(installation: Installation) -> None:
    folder = str(Path(FIXTURES) / "pipedrive" / "person.updated__phone")
    elsewhere = {**installation.environ, "SLUICE_PUBLIC_URL": "http://127.0.0.1:1"}
    url = installation.environ["SLUICE_PUBLIC_URL"]
    assert (await _run("send", "pipedrive", folder, "--fresh", "--url", url, environ=elsewhere))[0] == 0


async def test_a_refused_delivery_exits_1(installation: Installation) -> None:
    wrong = {**installation.environ, "SLUICE_HUBSPOT_CLIENT_SECRET": "another"}
    code, printed = await _run("send", "hubspot", "contact.created__ui", "--fixtures", FIXTURES, environ=wrong)
    assert code == 1
    assert printed.startswith("401 ")


async def test_an_event_can_be_shown_from_a_real_installation(installation: Installation) -> None:
    who = a_new_id()
    await installation.hubspot(hubspot(who, "counter", "1"))
    story = await installation.story(who)
    code, printed = await _run("events", "show", story.id, "--json", environ=installation.environ)
    assert code == 0
    assert json.loads(printed)["runs"]["counter"]["state"] == "done"


async def test_no_log_line_holds_a_phone_number_or_an_e_mail_address(installation: Installation) -> None:
    who = a_new_id()
    phone, email = "+15550107788", "ada.lovelace@example.com"
    await installation.misbehave({"method": "POST", "path": "/attributes/", "status": 400, "times": 1})
    await installation.hubspot(hubspot(who, "counter", phone), hubspot(who, "lifecyclestage", email))
    await installation.story(who)
    await installation.deliver("/webhooks/hubspot", [{"email": email, "phone": phone}, email])
    workflow = {"hs_object_id": who, "portalId": 62515, "email": email, "phone": phone}
    await installation.deliver("/webhooks/hubspot/workflow", workflow, headers={"x-sluice-secret": "workflow-secret"})
    folder = Path(installation.environ["SLUICE_SPILL_DIR"]).parent

    async def told() -> str | None:  # a run is told after it has ended
        lines = (folder / "ingress.log").read_text() + (folder / "worker.log").read_text()
        return lines if '"reason":"http_400"' in lines else None

    lines = await until(told)

    assert '"event":"delivery"' in lines
    assert '"event":"misfit"' in lines
    assert '"event":"run"' in lines
    for word in ("5550107788", "ada.lovelace", "workflow-secret", "new-secret", "sakari-secret", "drive"):
        assert word not in lines.replace("pipedrive", "")


@pytest.mark.parametrize("command", ["serve", "work"])
async def test_a_redis_that_cannot_keep_the_promise_stops_the_start(tmp_path: Path, command: str) -> None:
    port = free_port()
    async with running(
        redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)
    ):
        environ = environment(f"redis://127.0.0.1:{port}/0", tmp_path)

        async def told() -> str | None:
            code, printed = await _run(command, environ=environ)
            return printed if code == 2 else None

        printed = await until(told)
    assert "sluice: this Redis answers before its disk is done" in printed
    assert "Traceback" not in printed


async def test_serving_and_working_end_well_when_asked_to(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    async with embedded_redis(tmp_path / "redis") as url:
        environ = environment(url, tmp_path)
        for command, ready in (("serve", "ingress ready"), ("work", "worker ready")):
            log = tmp_path / f"{command}.log"
            async with running(*sluice(command), environ=environ, log=log) as process:

                async def up(log: Path = log, ready: str = ready) -> bool:
                    return ready in log.read_text()

                await until(up)
                process.terminate()
                await process.wait()
            # uvicorn ends by the signal that it was sent, once all is closed
            assert process.returncode in (0, -signal.SIGTERM), log.read_text()
            assert "Traceback" not in log.read_text()


async def test_an_ingress_whose_port_is_taken_ends_and_says_so(installation: Installation) -> None:
    code, printed = await _run("serve", environ=installation.environ)
    assert code == 3  # uvicorn's word for it
    assert "address already in use" in printed
