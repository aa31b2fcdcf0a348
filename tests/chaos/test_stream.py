"""The stream is the same for the same seed, and says what the judge needs to know."""

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sources import hubspot, pipedrive
from service.sources.delivery import Delivery, Verified
from tests.chaos import monkey, stream
from tests.chaos.stage import WORKERS
from tests.chaos.stream import FIRST_MS, Stream, notification

NORMALISE = {"hubspot": hubspot.normalise, "pipedrive": pipedrive.normalise}


@pytest.fixture(scope="module")
def made() -> Stream:
    return stream.make(Random(7), 2000, 20.0)


@settings(max_examples=20)
@given(seed=st.integers(min_value=0), events=st.integers(min_value=1, max_value=300))
def test_a_seed_gives_the_same_stream_and_schedule(seed: int, events: int) -> None:
    first, second = (stream.make(Random(seed), events, 5.0) for _ in range(2))
    assert first == second
    assert [fact.number for fact in first.facts] == list(range(events))
    assert {sending.fact for sending in first.sendings} == set(range(events))
    assert monkey.schedule(Random(seed), 9, 20, 3) == monkey.schedule(Random(seed), 9, 20, 3)


def test_some_notifications_come_again_out_of_order_or_by_two_subscriptions(made: Stream) -> None:
    order = [sending.fact for sending in made.sendings]
    assert order != sorted(order)
    assert any(sending.attempt for sending in made.sendings)
    assert any(sending.overlapping for sending in made.sendings)


def test_sluice_reads_every_notification_as_the_fact_that_it_states(made: Stream) -> None:
    """The time tells which fact it is, and redeliveries and overlapping subscriptions state the same one."""
    keys: dict[int, str] = {}
    for sending in made.sendings:
        fact = made.facts[sending.fact]
        body = notification(fact, sending, sending.attempt)
        delivery = Delivery(
            method="POST",
            target="/",
            headers={},
            body=msgspec.json.encode([body] if fact.source == "hubspot" else body),
            received_at=0,
        )
        (event,) = NORMALISE[fact.source](Verified(delivery, "basic")).events
        assert event.occurred_at == FIRST_MS + fact.number
        assert fact.value in event.values.values()
        assert keys.setdefault(fact.number, event.fact_key) == event.fact_key
    assert len(set(keys.values())) == len(made.facts)


def test_two_lanes_write_to_one_record_and_one_attribute(made: Stream) -> None:
    persons = {effect for fact in made.facts if len(fact.effects) == 1 for effect in fact.effects}
    deals = {effect for fact in made.facts if len(fact.effects) == 2 for effect in fact.effects}
    assert persons & deals


def test_every_process_but_the_judge_is_killed_and_the_workers_most() -> None:
    kills = Counter(act.target for act in monkey.schedule(Random(1), 40, 100, 15) if act.kind == "kill")
    assert kills.total() == 40
    assert set(kills) == {"valkey", "ingress-1", "ingress-2", *WORKERS}
    assert min(kills[worker] for worker in WORKERS) > kills["valkey"] > 4
