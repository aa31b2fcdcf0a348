"""How answers leave the ingress: whole, and at once."""

import asyncio
import base64
import json
import socket
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from service.ingress.bodies import ARRIVED
from service.ingress.server import Protocol, Together
from tests.system.conftest import environment, ingress, pipedrive, until


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

    def is_closing(self) -> bool:
        return self.closed


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


async def test_what_was_kept_for_a_receiver_who_has_hung_up_is_dropped() -> None:
    beneath = _Recorder()
    transport = Together(beneath, asyncio.get_running_loop())
    transport.write(b"too late")
    beneath.close()
    await asyncio.sleep(0)
    assert beneath.writes == []


async def test_a_request_says_whether_its_body_is_here_already() -> None:
    asked: asyncio.Queue[bool] = asyncio.Queue()

    async def app(scope: Any, _: Any, send: Any) -> None:
        await asked.put(ARRIVED in scope)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    config = uvicorn.Config(app, http=Protocol, ws="none", lifespan="off")
    state, loop = ServerState(), asyncio.get_running_loop()
    head = b"POST / HTTP/1.1\r\nhost: sluice\r\ncontent-length: 2\r\n\r\n"
    async with await loop.create_server(lambda: Protocol(config, state, {}), "127.0.0.1", 0) as server:
        for sent, here in ((head + b"{}", True), (head + b"{", False)):
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(sent)
            assert await asked.get() is here
            writer.close()
            await writer.wait_closed()
            await until(lambda: _none_left(state))


@pytest.mark.slow
async def test_a_stop_answers_what_is_under_way_and_waits_for_no_stranger(redis_url: str, tmp_path: Path) -> None:
    environ = environment(redis_url, tmp_path)
    body = json.dumps(pipedrive(5, "five")).encode()
    proof = base64.b64encode(b"pipe:drive")
    head = b"POST /webhooks/pipedrive HTTP/1.1\r\nhost: sluice\r\ncontent-length: %d\r\n" % len(body)
    metrics = b"GET /metrics HTTP/1.1\r\nhost: sluice\r\n\r\n"
    async with ingress(environ, tmp_path) as process:
        at = ("127.0.0.1", int(environ["SLUICE_PORT"]))
        reader, sender = await asyncio.open_connection(*at)
        sender.write(head + b"authorization: Basic " + proof + b"\r\n\r\n" + body[:-1])
        _, silent = await asyncio.open_connection(*at)
        silent.write(head + b"\r\n")
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(at)
        deaf.sendall(metrics * 30)
        late, asking = await asyncio.open_connection(*at)
        asking.write(metrics)
        await late.readline()  # so those before it were taken
        asking.close()
        process.terminate()
        await until(lambda: _refused(at))
        sender.write(body[-1:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(15):  # then Docker Compose would kill it
            await process.wait()
        for held in (sender, silent, deaf):
            held.close()


async def _none_left(state: ServerState) -> bool:
    return not state.connections


async def _refused(at: tuple[str, int]) -> bool:
    try:
        _, writer = await asyncio.open_connection(*at)
    except ConnectionError:
        return True
    writer.close()
    return False
