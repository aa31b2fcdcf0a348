"""The token: one for all workers, fetched once, renewed in time, and never shown."""

import asyncio
import base64
import secrets
from typing import Any

import httpx
import msgspec
import pytest

from service.errors import Permanent, Retryable, StepError
from service.sakari.client import Sakari
from service.sakari.exchange import Answer
from service.sakari.line import connect
from service.sakari.token import Token, read_token
from service.sandbox.state import Fault, Settings
from tests.sakari.rig import SECRET, MemoryCache, Rig, all_text, made_tokens, rigged, served

NOW = 1_000_000.0
TOKEN_PATH = "/oauth2/token"


def token_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, httpx.Headers(headers), msgspec.json.encode(content))


def jwt(claims: Any) -> str:
    return "h." + base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip("=") + ".s"


@pytest.mark.parametrize(
    ("content", "lifetime"),
    [
        ({"access_token": "opaque", "expires_in": 7200}, 7200),
        ({"access_token": "opaque", "expires_in": "1800"}, 1800),
        ({"access_token": "opaque", "expires_in": 0}, 3600),
        ({"access_token": "opaque", "expires_in": -5}, 3600),
        ({"access_token": "opaque", "expires_in": None}, 3600),
        ({"access_token": "opaque"}, 3600),
        ({"access_token": jwt({"exp": NOW + 900})}, 900),
        ({"access_token": jwt({"exp": NOW + 9000, "iat": NOW + 8000})}, 1000),
        ({"access_token": jwt({"exp": NOW - 10})}, 3600),
        ({"access_token": jwt([1])}, 3600),
        ({"access_token": "a.!!!.c"}, 3600),
        ({"access_token": "a.b"}, 3600),
        ({"access_token": jwt({"exp": NOW + 900}), "expires_in": 500}, 500),
    ],
)
def test_lifetime_is_what_the_answer_tells_or_an_hour(content: Any, lifetime: int) -> None:
    assert read_token(token_answer(content), NOW).expires_at == (NOW + lifetime) * 1000


@pytest.mark.parametrize(("lifetime", "margin"), [(3600, 360), (600, 60), (300, 60), (100, 50), (10, 5)])
def test_refresh_is_a_tenth_or_a_minute_early_but_never_at_once(lifetime: int, margin: int) -> None:
    token = read_token(token_answer({"access_token": "t", "expires_in": lifetime}), NOW)
    assert token.expires_at - token.refresh_at == margin * 1000


def test_token_does_not_show_its_secret() -> None:
    assert "s3cret" not in repr(Token("s3cret", 1, 2)) + str(Token("s3cret", 1, 2))


REFUSALS = [
    (400, {"error": "invalid_request"}, Permanent, "bad_credentials"),
    (401, {"error": "invalid_client", "error_description": SECRET}, Permanent, "bad_credentials"),
    (401, {"success": False, "error": {"code": "ACCT-008", "message": SECRET}}, Permanent, "bad_credentials"),
    (401, {"error": SECRET}, Permanent, "bad_credentials"),
    (403, [SECRET], Permanent, "bad_credentials"),
    (302, {}, Permanent, "redirect"),
    (404, {}, Permanent, "token_refused"),
    (429, {}, Retryable, "rate_limited"),
    (500, {}, Retryable, "unavailable"),
    (503, {}, Retryable, "unavailable"),
    (200, {}, Retryable, "unreadable_token"),
    (200, "text", Retryable, "unreadable_token"),
    (200, {"access_token": "two words"}, Retryable, "unreadable_token"),
    (200, {"access_token": "line\nbreak"}, Retryable, "unreadable_token"),
    (200, {"access_token": ""}, Retryable, "unreadable_token"),
]


@pytest.mark.parametrize(("status", "content", "meaning", "reason"), REFUSALS)
def test_what_the_token_endpoint_may_say(status: int, content: Any, meaning: type[StepError], reason: str) -> None:
    with pytest.raises(StepError) as caught:
        read_token(token_answer(content, status), NOW)
    assert (type(caught.value), caught.value.reason) == (meaning, reason)
    assert SECRET not in all_text(caught.value)


def test_retry_after_of_the_token_endpoint_is_obeyed() -> None:
    with pytest.raises(Retryable) as caught:
        read_token(token_answer({}, 429, {"Retry-After": "9"}), NOW)
    assert caught.value.after_s == 9


async def test_wrong_secret_is_permanent_and_stays_secret(rig: Rig) -> None:
    secret = secrets.token_hex()
    with pytest.raises(Permanent) as caught:
        await made_tokens(rig.line, secret=secret).get()
    assert caught.value.reason == "bad_credentials"
    assert "invalid_client" in str(caught.value)
    assert secret not in all_text(caught.value)


@pytest.mark.parametrize("cut", ["before", "midway", "after"])
async def test_cut_token_call_is_retryable(rig: Rig, cut: Any) -> None:
    rig.faults(Fault(path=TOKEN_PATH, cut=cut))
    with pytest.raises(Retryable) as caught:
        await rig.tokens.get()
    assert SECRET not in all_text(caught.value)


async def test_many_callers_of_two_clients_fetch_one_token(rig: Rig) -> None:
    cache = MemoryCache()
    rig.faults(Fault(path=TOKEN_PATH, slow_ms=50))
    async with connect(rig.url) as other:
        both = [made_tokens(rig.line, cache), made_tokens(other, cache)]
        tokens = await asyncio.gather(*(each.get() for each in both * 10))
    assert len({token.access_token for token in tokens}) == 1
    assert rig.calls(TOKEN_PATH) == {"200": 1}
    assert 3_500_000 < cache.lifetime_ms <= 3_600_000


async def test_a_token_due_for_refresh_is_renewed_once_by_two_clients(rig: Rig) -> None:
    cache, now = MemoryCache(), [NOW]
    cache.value = msgspec.msgpack.encode(Token("old", int(NOW * 1000) + 1, int(NOW * 1000) + 90_000))
    both = [made_tokens(rig.line, cache, clock=lambda: now[0]) for _ in range(2)]
    assert (await both[0].get()).access_token == "old"
    now[0] += 1
    fresh = await asyncio.gather(*(each.get() for each in both * 5))
    assert {token.access_token for token in fresh} != {"old"}
    assert rig.calls(TOKEN_PATH) == {"200": 1}


async def test_one_who_fails_to_fetch_leaves_the_turn_to_the_next(rig: Rig) -> None:
    cache = MemoryCache()
    rig.faults(Fault(path=TOKEN_PATH, status=503, times=1))
    results = await asyncio.gather(*(made_tokens(rig.line, cache).get() for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Retryable", "Token", "Token", "Token"]
    assert rig.calls(TOKEN_PATH) == {"503": 1, "200": 1}


async def test_a_lock_that_never_comes_is_retryable(rig: Rig) -> None:
    class Stuck(MemoryCache):
        def lock(self) -> Any:
            return _never()

    with pytest.raises(Retryable) as caught:
        await made_tokens(rig.line, Stuck()).get()
    assert caught.value.reason == "token_busy"


class _never:  # noqa: N801 - a context manager that reads as one
    async def __aenter__(self) -> bool:
        return False

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_what_another_version_left_in_the_cache_is_passed_over(rig: Rig) -> None:
    cache = MemoryCache()
    cache.value = b"\xc1 not ours"
    assert (await made_tokens(rig.line, cache).get()).access_token.count(".") == 2


async def test_revoked_token_is_replaced_within_the_call(rig: Rig) -> None:
    await rig.tokens.get()
    rig.sandbox.tokens.clear()
    await rig.sakari.write_attributes("contacts", {"hubspot": {"id": 1}})
    assert rig.calls("/attributes/contacts") == {"401": 1, "200": 1}
    assert rig.calls(TOKEN_PATH) == {"200": 2}
    assert len(rig.sandbox.writes) == 1


async def test_second_401_in_a_row_is_permanent(rig: Rig) -> None:
    rig.faults(Fault(path="/v1/", status=401))
    with pytest.raises(Permanent) as caught:
        await rig.sakari.write_attributes("contacts", {"hubspot": {"id": 1}})
    assert caught.value.reason == "unauthorized"
    assert rig.calls("/attributes/contacts") == {"401": 2}
    assert "eyJ" not in all_text(caught.value)


async def test_revoked_token_is_replaced_once_by_many_calls(rig: Rig) -> None:
    await rig.tokens.get()
    rig.sandbox.tokens.clear()
    calls = (rig.sakari.write_attributes("contacts", {"hubspot": {"id": n}}) for n in range(8))
    await asyncio.gather(*calls)
    assert rig.calls(TOKEN_PATH) == {"200": 2}


async def test_dropping_a_token_leaves_a_newer_one(rig: Rig) -> None:
    cache = MemoryCache()
    tokens = made_tokens(rig.line, cache)
    await tokens.get()
    kept = cache.value
    await tokens.drop(Token("older", 1, 2))
    assert cache.value == kept


async def test_foreign_account_is_permanent(rig: Rig) -> None:
    with pytest.raises(Permanent) as caught:
        await Sakari(rig.line, "other", rig.tokens).write_attributes("contacts", {"hubspot": {"id": 1}})
    assert caught.value.reason == "sakari_ACCT-016"


async def test_short_lived_tokens_are_renewed() -> None:
    async with served(Settings(token_lifetime_s=40, tell_expires_in=True)) as server, rigged(*server) as rig:
        now = [NOW]
        tokens = made_tokens(rig.line, clock=lambda: now[0])
        first = await tokens.get()
        now[0] += 19
        assert await tokens.get() == first
        now[0] += 2
        assert await tokens.get() != first
