"""`sluice dev`: everything on this machine, from one command, and nothing left of it afterwards."""

import asyncio
import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.dev.processes import free_port, sluice
from service.dev.samples import SAMPLES
from service.settings import DEV_FILE
from tests.local import client
from tests.system.conftest import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder like a fresh clone, with the real rules and fixtures."""
    (tmp_path / "rules").symlink_to(ROOT / "rules")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    return tmp_path


async def _dev(here: Path, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
    """Start `sluice dev` in a group of its own; its output goes to `here/out`."""
    with (here / "out").open("wb") as out:
        return await asyncio.create_subprocess_exec(
            *sluice("dev", *arguments),
            cwd=here,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _out(here: Path) -> str:
    return (here / "out").read_text()


def _children(pid: int) -> set[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return set(map(int, listed.read_text().split())) if listed.exists() else set()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        yield port


@pytest.mark.slow
async def test_once_sends_every_sample_and_exits_0_although_its_port_is_taken(here: Path, taken: int) -> None:
    process = await _dev(here, "--once", "--port", str(taken))
    assert await process.wait() == 0, _out(here)

    printed = _out(here)
    assert f":{taken};" not in printed
    for sample in SAMPLES:
        assert sample.fixture in printed
        for rule, state in sample.ends.items():
            assert f"{rule}  {state}" in printed
    assert "greet-new-contact  shadow" in printed
    assert "All samples ended as the rules say." in printed
    assert "Everything is stopped." in printed
    assert not (here / DEV_FILE).exists()


@pytest.mark.slow
async def test_samples_that_do_not_end_as_expected_exit_1(here: Path) -> None:
    other = here / "other"
    other.mkdir()
    shutil.copy(ROOT / "rules" / "pipedrive-deals.yaml", other)
    process = await _dev(here, "--once", "--rules", str(other), "--port", str(free_port()))

    assert await process.wait() == 1, _out(here)
    assert "won-deal-thanks  done" in _out(here)
    assert "expected {'customer-leaves-nurture': 'done'}, got {}" in _out(here)
    assert "Not all samples ended as the rules say." in _out(here)


@pytest.mark.slow
async def test_it_shows_what_comes_is_found_by_other_commands_and_leaves_no_process(here: Path) -> None:
    process = await _dev(here, "--port", str(free_port()))

    def says(word: str) -> bool:
        return word in _out(here)

    try:
        await until(lambda: _soon(says("Ctrl-C stops everything.") or process.returncode is not None))
        children = _children(process.pid)
        assert len(children) == 4, _out(here)
        assert "dev-pipedrive-password" in (here / DEV_FILE).read_text()

        before = _out(here).count("customer-leaves-nurture")
        send = ("send", "hubspot", "contact.updated__lifecyclestage_customer", "--fresh")
        sending = await asyncio.create_subprocess_exec(
            *sluice(*send), cwd=here, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.DEVNULL
        )
        assert await sending.wait() == 0
        await until(lambda: _soon(_out(here).count("customer-leaves-nurture") > before))
    finally:
        process.send_signal(signal.SIGINT)
        code = await process.wait()
    assert code == 0, _out(here)
    assert "Everything is stopped." in _out(here)
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


@pytest.mark.slow
async def test_an_outage_is_told_and_so_is_the_end_of_each_process(here: Path) -> None:
    process = await _dev(here, "--port", str(free_port()))

    async def told(word: str) -> None:
        await until(lambda: _soon(word in _out(here) or process.returncode is not None))
        assert word in _out(here)

    try:
        await told("Ctrl-C stops everything.")
        given = dict(line.split("=", 1) for line in (here / DEV_FILE).read_text().splitlines())
        async with client(base_url=given["SLUICE_SAKARI_URL"]) as sandbox:
            assert (await sandbox.put("/_sandbox/misbehaviour", json={"faults": [{"status": 503}]})).is_success
            send = ("send", "hubspot", "contact.updated__lifecyclestage_customer", "--fresh")
            sending = await asyncio.create_subprocess_exec(
                *sluice(*send), cwd=here, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.DEVNULL
            )
            assert await sending.wait() == 0
            await told("circuit opened: Sakari is down")
            assert (await sandbox.put("/_sandbox/misbehaviour", json={"faults": []})).is_success
            await told("circuit closed: Sakari answers again")
        parts = {_command(pid): pid for pid in _children(process.pid)}
        for command, said in (
            ("sandbox", "the stand-in for Sakari has ended unasked (killed by SIGKILL)"),
            ("work", "the worker has ended unasked (killed by SIGKILL)"),
            ("serve", "the ingress has ended unasked (killed by SIGKILL)"),
            ("", "Redis is gone, so nothing can go on"),
        ):
            os.kill(parts[command], signal.SIGKILL)
            await told(said)
        assert await process.wait() == 0, _out(here)
        assert "Everything is stopped." in _out(here)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.wait()


def _command(pid: int) -> str:
    """Which of our commands a process runs; empty if none."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return words[3] if words[1:3] == ["-m", "service"] else ""


@pytest.mark.slow
async def test_a_change_of_the_rules_is_told_and_so_is_a_mistake(here: Path) -> None:
    rules = here / "mine"
    shutil.copytree(ROOT / "rules", rules)
    file = rules / "pipedrive-deals.yaml"
    good = file.read_text()
    process = await _dev(here, "--rules", str(rules), "--port", str(free_port()))

    async def told(word: str) -> None:
        await until(lambda: _soon(word in _out(here) or process.returncode is not None))
        assert word in _out(here)

    try:
        await told("Ctrl-C stops everything.")
        file.write_text(good.replace("event:", "evnt:", 1))
        await told("pipedrive-deals.yaml is broken: its last good version stays in force")
        await told(" is live, ")
        assert re.search(r"✗ pipedrive-deals.yaml:\d+:\d+: error R202: ", _out(here))
        file.write_text(good)
        await told("the rules are good again: rule set")
        file.write_text(good + "\n# changed\n")
        await told("the rules have changed: rule set")
    finally:
        process.send_signal(signal.SIGINT)
        code = await process.wait()
    assert code == 0, _out(here)


async def _soon(seen: bool) -> bool:
    return seen


async def test_a_part_that_does_not_come_up_is_told_with_the_end_of_its_log(here: Path) -> None:
    process = await _dev(here, "--once", SLUICE_REDIS_URL="nonsense")
    assert await process.wait() == 2
    assert "SLUICE_REDIS_URL" in _out(here)
    assert "Traceback" not in _out(here)
