"""Deliveries that come together are worked out a few in each turn of the loop, in their order."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from service.ingress.turns import Turns

sizes = st.lists(st.integers(min_value=0, max_value=300), min_size=1, max_size=40)


async def _turns_of(sizes: list[int], *, gone: frozenset[int] = frozenset()) -> list[list[int]]:
    """The numbers of those who came at once, by the turn in which each got on."""
    turns, taken, number = Turns(100), [], 0

    async def one(n: int) -> None:
        await turns.take(sizes[n])
        taken.append((number, n))

    tasks = [asyncio.create_task(one(n)) for n in range(len(sizes))]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        number += 1
        for n in gone:
            tasks[n].cancel()
    return [[n for at, n in taken if at == turn] for turn in range(number + 1)]


@given(sizes)
def test_everybody_gets_on_in_order_and_no_turn_takes_more_than_its_share(sizes: list[int]) -> None:
    turns = asyncio.run(_turns_of(sizes))
    assert [n for turn in turns for n in turn] == list(range(len(sizes)))
    for turn in turns:
        assert len(turn) <= 1 or sum(sizes[n] for n in turn) <= 100


@given(sizes, st.data())
def test_who_has_gone_keeps_nobody_waiting(sizes: list[int], data: st.DataObject) -> None:
    gone = data.draw(st.frozensets(st.integers(0, len(sizes) - 1)))
    taken = [n for turn in asyncio.run(_turns_of(sizes, gone=gone)) for n in turn]
    assert set(taken) >= set(range(len(sizes))) - gone
    assert taken == sorted(taken)


async def test_who_is_alone_does_not_wait() -> None:
    turns = Turns(100)
    waiting = turns.take(1_000)
    try:
        waiting.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")
