"""What the tests of the Sakari client, of the actions and of the sandbox stand on."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Callable

import httpx
from msgspec import Struct

from service.sakari.client import Sakari
from service.sakari.line import Line, connect
from service.sakari.token import Tokens
from service.sandbox.app import build
from service.sandbox.sample import demo_state
from service.sandbox.server import serving
from service.sandbox.state import Campaign, Fault, Misbehaviour, Sandbox, Settings

SECRET = "sandbox-secret"
PHONE = "+12025550177"
EMAIL = "person@example.com"

CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgB0BCv4VtKdjqoZ4f
0i0Cp6enICmKQaMZT4FZMHbz6PqhRANCAASnkjfmOYo9dvam454ARfyIs+fcDaLh
kizrtA3jC0LMcn+pRBA4LoEnQTJqQQz/dp0VQCRHunwDJ3ph+vU4WvZv
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUcnhf+snfHRLUqRqvQBgIxKjldLkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMjA2NDczOFoYDzIxMjYxMDI5
MDY0NzM4WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASnkjfmOYo9dvam454ARfyIs+fcDaLhkizrtA3jC0LMcn+pRBA4LoEn
QTJqQQz/dp0VQCRHunwDJ3ph+vU4WvZvo2QwYjAdBgNVHQ4EFgQUIgPASdGwAViI
DpAVv+gEQQMZpx4wHwYDVR0jBBgwFoAUIgPASdGwAViIDpAVv+gEQQMZpx4wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC
IQC+lq0CDMBY9Sf9Cb+4C3A7lV6maadmxH87yTI9CKxRZgIhAPGANFLES9j8onmp
VsvzX8HEmlqB6ayojE1ATHRFk1ng
-----END CERTIFICATE-----
"""
"""Made for these tests, and signed by nobody but itself."""


class MemoryCache:
    """A TokenCache of one process."""

    def __init__(self) -> None:
        self.value: bytes | None = None
        self.lifetime_ms = 0
        self._lock = asyncio.Lock()

    async def get(self) -> bytes | None:
        return self.value

    async def put(self, value: bytes, lifetime_ms: int) -> None:
        self.value, self.lifetime_ms = value, lifetime_ms

    async def drop(self, value: bytes) -> None:
        if self.value == value:
            self.value = None

    @contextlib.asynccontextmanager
    async def lock(self) -> AsyncIterator[bool]:
        if self._lock.locked():
            async with self._lock:
                pass
            yield False
        else:
            async with self._lock:
                yield True


class Rig(Struct):
    """A sandbox served over HTTP, and a client that is connected to it."""

    sandbox: Sandbox
    url: str
    line: Line
    tokens: Tokens
    sakari: Sakari

    def faults(self, *faults: Fault, seed: int = 0) -> None:
        self.sandbox.misbehave(Misbehaviour(list(faults), seed))

    def campaign(self, campaign: Campaign) -> None:
        self.sandbox.campaigns["c1"] = campaign

    def calls(self, ending: str) -> dict[str, int]:
        """Outcome -> count of the endpoint whose name ends so."""
        return {
            k: n for name, counted in self.sandbox.calls.items() if name.endswith(ending) for k, n in counted.items()
        }


@contextlib.asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Sandbox, str]]:
    sandbox = Sandbox(settings, demo_state)
    async with serving(build(sandbox)) as url:
        yield sandbox, url


@contextlib.asynccontextmanager
async def rigged(sandbox: Sandbox, url: str) -> AsyncIterator[Rig]:
    """A new client, and the sandbox as it was at the start."""
    sandbox.reset()
    sandbox.tokens.clear()
    async with connect(url) as line:
        tokens = made_tokens(line)
        yield Rig(sandbox, url, line, tokens, Sakari(line, "demo", tokens))


def made_tokens(
    line: Line,
    cache: MemoryCache | None = None,
    clock: Callable[[], float] = time.time,
    secret: str = SECRET,
) -> Tokens:
    return Tokens(line, "sandbox-client", secret, cache=cache or MemoryCache(), clock=clock)


def mocked(*answers: httpx.Response | Exception) -> tuple[Sakari, list[httpx.Request]]:
    """A client whose calls get these answers in turn, and the calls it made. Tokens are given out besides."""
    left, seen = list(answers), []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/token":
            return httpx.Response(200, json={"access_token": "t0ken"})
        seen.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    line = Line("https://sakari.test", httpx.MockTransport(handle))
    return Sakari(line, "demo", made_tokens(line)), seen


@contextlib.asynccontextmanager
async def raw_server(answer: bytes, *, dribbles: bool = False) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers every request with these bytes and closes; gives its URL and the heads of the requests.

    `dribbles`: it goes on with a byte from time to time instead of closing, for as long as anybody listens.
    """
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            while dribbles:
                writer.write(b"1\r\nx\r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads


def all_text(error: BaseException) -> str:
    """Everything that a log could print of an error, with what caused it."""
    return str(error) + repr(error) + "".join(traceback.format_exception(error))
