"""How answers leave the ingress: whole, and at once."""

import asyncio
from pathlib import Path

from service.ingress.server import Together
from tests.system.conftest import environment, ingress


async def test_what_is_asked_together_is_answered_in_order_and_whole(redis_url: str, tmp_path: Path) -> None:
    environ = environment(redis_url, tmp_path)
    async with ingress(environ, tmp_path):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(environ["SLUICE_PORT"]))
        ask = b"GET %s HTTP/1.1\r\nhost: sluice\r\n%s\r\n"
        writer.write(ask % (b"/livez", b""))
        assert (await reader.read(65_536)).endswith(b"\r\n\r\nok")
        writer.write(ask % (b"/nowhere", b"") + ask % (b"/livez", b"") + ask % (b"/livez", b"connection: close\r\n"))
        answers = await reader.read()
        writer.close()
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"404", b"200", b"200"]
    assert answers.endswith(b"\r\n\r\nok")


class _Recorder(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # only bytes are written here
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True


async def test_what_is_written_in_one_turn_leaves_in_one_piece() -> None:
    beneath = _Recorder()
    transport = Together(beneath, asyncio.get_running_loop())
    for turn in (1, 2):
        transport.write(b"head %d " % turn)
        transport.write(b"body %d" % turn)
        assert len(beneath.writes) == turn - 1
        await asyncio.sleep(0)
    assert beneath.writes == [b"head 1 body 1", b"head 2 body 2"]


async def test_what_was_written_before_the_end_is_not_lost() -> None:
    beneath = _Recorder()
    transport = Together(beneath, asyncio.get_running_loop())
    transport.write(b"refused")
    transport.close()
    assert (beneath.writes, beneath.closed) == ([b"refused"], True)
    await asyncio.sleep(0)
    assert beneath.writes == [b"refused"]
