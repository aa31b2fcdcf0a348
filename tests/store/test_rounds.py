"""What is asked of Redis together goes in one round, and a round has an end."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service.store import Store
from service.store.rounds import Items, Rounds
from service.store.wire import Command, Wire

Echo = Callable[..., Coroutine[Any, Any, list[Any]]]


class Recorder:
    """A carrier that notes its rounds, and answers each command with its last word once it is let go on."""

    def __init__(self) -> None:
        self.rounds: list[list[Command]] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def round(self, commands: list[Command], within_s: float) -> list[object]:
        self.rounds.append(commands)
        self.begun.set()
        async with asyncio.timeout(within_s):
            await self.go_on.wait()
        return [command[-1] for command in commands]


async def test_what_is_asked_meanwhile_goes_in_the_next_round() -> None:
    recorder = Recorder()
    rounds = Rounds([recorder.round], 5)
    first = asyncio.create_task(rounds.ask("ECHO", 0))
    await recorder.begun.wait()
    others = [asyncio.create_task(rounds.ask("ECHO", n)) for n in range(1, 50)]
    await asyncio.sleep(0)
    recorder.go_on.set()
    assert await asyncio.gather(first, *others) == list(range(50))
    assert [len(commands) for commands in recorder.rounds] == [1, 49]


async def test_two_carriers_are_two_rounds_at_a_time() -> None:
    first, second = Recorder(), Recorder()
    rounds = Rounds([first.round, second.round], 5)
    asked = []
    for n in range(4):
        asked.append(asyncio.create_task(rounds.ask("ECHO", n)))
        await asyncio.sleep(0.01)
    assert [len(recorder.rounds) for recorder in (first, second)] == [1, 1]
    second.go_on.set()
    assert await asked[0] == 0
    assert await asyncio.gather(*asked[2:]) == [2, 3]
    assert second.rounds == [[("ECHO", 0)], [("ECHO", 2), ("ECHO", 3)]]
    first.go_on.set()
    assert await asked[1] == 1
    await rounds.finish()


async def echoed(store: Store) -> Echo:
    """Ask a script that answers each item with itself, and refuses to run over `bad`."""
    text = """
        if #ARGV - 2 ~= tonumber(ARGV[2]) then return redis.error_reply('miscounted') end
        for i = 3, #ARGV do if ARGV[i] == 'bad' then return redis.error_reply('bad') end end
        return {unpack(ARGV, 3)}
    """
    script = store.redis.register_script(text)

    async def ask(*items: Any, kind: str = "a") -> list[Any]:
        return await store.quick.join(script, [], [kind], Items(list(items), len(items)))

    return ask


async def calls(store: Store) -> int:
    """Count the scripts that have been run."""
    found = await store.redis.info("commandstats")
    return int(found.get("cmdstat_evalsha", {"calls": 0})["calls"])


async def test_who_asks_the_same_of_a_script_goes_in_one_call_and_gets_their_own(store: Store) -> None:
    ask = await echoed(store)
    assert await ask("first") == [b"first"]  # after which the server knows the script
    before = await calls(store)
    sizes = [1, 2, 0, 3, 1]
    asked = [[f"{n}-{k}" for k in range(size)] for n, size in enumerate(sizes)]
    got = await asyncio.gather(*(ask(*items) for items in asked), ask("other", kind="b"))
    assert got == [[item.encode() for item in items] for items in asked] + [[b"other"]]
    assert await calls(store) - before == 2


async def test_no_more_go_in_one_call_than_a_large_delivery_has(store: Store) -> None:
    ask = await echoed(store)
    await ask("first")
    before = await calls(store)
    sizes = [60, 40, 1, 100, 99, 101, 1]  # 60 + 40 | 1 | 100 | 99 | 101 | 1
    got = await asyncio.gather(*(ask(*(f"{n}-{k}" for k in range(size))) for n, size in enumerate(sizes)))
    assert [len(items) for items in got] == sizes
    assert [items[-1] for items in got] == [f"{n}-{size - 1}".encode() for n, size in enumerate(sizes)]
    assert await calls(store) - before == 6


async def test_no_more_bytes_go_in_one_call_than_redis_takes_in_a_moment(store: Store) -> None:
    ask = await echoed(store)
    await ask("first")
    before = await calls(store)
    sizes = [100_000, 100_000, 100_000, 1_000_000, 1, 1]  # two | one | one | two
    got = await asyncio.gather(*(ask(b"x" * size) for size in sizes))
    assert [len(items[0]) for items in got] == sizes
    assert await calls(store) - before == 4


async def test_no_more_arguments_go_in_one_call_than_a_script_is_soon_through_with(store: Store) -> None:
    text = "local told = {} for n = 1, ARGV[1] do told[n] = #ARGV end return told"
    script = store.redis.register_script(text)
    many = [store.quick.join(script, [], [], Items(["x"] * 1000, 1)) for _ in range(10)]
    got = await asyncio.gather(*many)
    assert got == [[4001]] * 8 + [[2001]] * 2


async def test_an_error_is_told_only_to_whose_it_is(store: Store) -> None:
    ask = await echoed(store)
    await ask("first")
    before = await calls(store)
    asked = (ask("good"), ask("bad"), ask("well", "well"), ask("apart", kind="b"))
    got = await asyncio.gather(*asked, return_exceptions=True)
    assert [got[0], type(got[1]), *got[2:]] == [[b"good"], ResponseError, [b"well", b"well"], [b"apart"]]
    assert await calls(store) - before == 2 + 3


async def test_what_cannot_be_sent_costs_those_nothing_who_would_have_gone_with_it(store: Store) -> None:
    ask = await echoed(store)
    got = await asyncio.gather(ask("good"), ask(object()), ask("well"), return_exceptions=True)
    assert (got[0], type(got[1]), got[2]) == ([b"good"], TypeError, [b"well"])


async def test_who_left_takes_nobodys_answer_along(store: Store) -> None:
    ask = await echoed(store)
    leaving, staying = (asyncio.create_task(ask(word, word)) for word in ("a", "b"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == [b"b", b"b"]


async def test_a_sender_that_was_cancelled_leaves_its_carrier_to_others() -> None:
    recorder = Recorder()
    rounds = Rounds([recorder.round], 5)
    lost = asyncio.create_task(rounds.ask("ECHO", "lost"))
    await recorder.begun.wait()
    for sender in rounds._senders:
        sender.cancel()
    await rounds.finish()
    recorder.go_on.set()
    assert await rounds.ask("ECHO", "next") == "next"
    lost.cancel()


async def test_whoever_has_waited_too_long_is_not_sent_and_costs_the_others_nothing() -> None:
    recorder = Recorder()
    rounds = Rounds([recorder.round], 1)
    stuck = asyncio.create_task(rounds.ask("ECHO", "stuck"))
    await recorder.begun.wait()
    late = asyncio.create_task(rounds.ask("ECHO", "late"))
    await asyncio.sleep(0.5)
    fresh = asyncio.create_task(rounds.ask("ECHO", "fresh"))
    with pytest.raises(RedisTimeoutError):
        await stuck
    recorder.go_on.set()
    with pytest.raises(RedisTimeoutError):
        await late
    assert await fresh == "fresh"
    assert recorder.rounds == [[("ECHO", "stuck")], [("ECHO", "fresh")]]


async def test_patience_is_each_ones_own() -> None:
    """Whoever came first is told in time, and does not end the round for those who came later."""
    recorder = Recorder()
    rounds = Rounds([recorder.round], 0.6)
    stuck = asyncio.create_task(rounds.ask("ECHO", "stuck"))
    await recorder.begun.wait()
    early = asyncio.create_task(rounds.ask("ECHO", "early"))
    await asyncio.sleep(0.3)
    late = asyncio.create_task(rounds.ask("ECHO", "late"))
    with pytest.raises(RedisTimeoutError):
        await stuck  # at 0.6; now the others go, early with next to no patience left
    with pytest.raises(RedisTimeoutError):
        await early
    assert not late.done()
    recorder.go_on.set()
    assert await late == "late"


async def test_what_cannot_be_sent_costs_only_itself(store: Store) -> None:
    answers = await asyncio.gather(
        store.quick.ask("SET", "sluice:a", object()), store.quick.ask("SET", "sluice:b", "1"), return_exceptions=True
    )
    assert isinstance(answers[0], TypeError)
    assert answers[1] == b"OK"


async def test_a_refused_command_costs_only_itself(store: Store) -> None:
    answers = await asyncio.gather(
        store.quick.ask("INCR", "sluice:a", "b", "c"), store.quick.ask("SET", "sluice:b", "1"), return_exceptions=True
    )
    assert isinstance(answers[0], ResponseError)
    assert answers[1] == b"OK"


async def test_who_gives_up_does_not_take_the_others_with_it(store: Store) -> None:
    await store.quick.ask("PING")
    leaving, staying = (asyncio.create_task(store.quick.ask("ECHO", word)) for word in ("a", "b"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == b"b"
    assert await store.quick.ask("ECHO", "c") == b"c"


async def test_a_connection_that_died_meanwhile_is_made_anew(store: Store) -> None:
    wire = Wire(store.redis.connection_pool)
    (number,) = await wire.round([("CLIENT", "ID")], 5)
    await store.redis.client_kill_filter(_id=number)
    (again,) = await wire.round([("CLIENT", "ID")], 5)
    assert again != number
    await wire.close()


async def test_a_silent_server_is_given_up_and_its_late_answer_goes_to_nobody(store: Store) -> None:
    wire = Wire(store.redis.connection_pool)
    assert await wire.round([("ECHO", "early")], 5) == [b"early"]
    with pytest.raises(RedisTimeoutError):
        await wire.round([("BLPOP", "sluice:nothing", 0)], 0.05)
    assert await wire.round([("ECHO", "mine")], 5) == [b"mine"]
    await wire.close()


async def test_no_redis_is_an_error_of_redis() -> None:
    wire = Wire(ConnectionPool.from_url("redis://127.0.0.1:1/0"))
    with pytest.raises(RedisError):
        await wire.round([("PING",)], 1)
