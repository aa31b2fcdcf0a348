"""The judge finds what is wrong, excuses what nobody could know, and nothing else."""

from typing import Any

import pytest
from msgspec.structs import replace

from service.sandbox.state import Fault
from tests.chaos.evidence import Entry, Evidence, Written
from tests.chaos.excuses import excuse
from tests.chaos.judge import judge
from tests.chaos.monkey import Disturbance
from tests.chaos.recovery import Recovery
from tests.chaos.stream import Fact, Stream

RECORD = "contacts/hubspot:7"
STREAM = Stream(tuple(Fact(number=n, source="hubspot", effects=((RECORD, "p0"),), body={}) for n in range(3)), (), 1.0)
GOOD = Evidence(
    answered=frozenset({0, 2}),
    entries=(Entry(0, "done", written=True), Entry(1, "superseded", "newer_fact"), Entry(2, "done", written=True)),
    writes=(Written(100.0, RECORD, {"p0": "v0"}), Written(200.0, RECORD, {"p0": "v2"})),
    final={RECORD: {"p0": "v2"}},
    disturbances=(),
)
TWICE = (*GOOD.writes, Written(203.0, RECORD, {"p0": "v2"}))
BACK = (*GOOD.writes, Written(203.0, RECORD, {"p0": "v0"}), Written(204.0, RECORD, {"p0": "v2"}))
KEPT, ONCE, ENDED, DONE, SAID, FINAL, FENCED, NO_REPEAT, EMPTY, PROCESSES, RECOVERED = range(11)


def found(evidence: Evidence) -> list[int]:
    """The checks that found something, by place."""
    return [place for place, check in enumerate(judge(STREAM, evidence).checks) if check.wrong]


def test_what_is_good_is_good() -> None:
    assert found(GOOD) == []
    assert judge(STREAM, GOOD).good


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"entries": GOOD.entries[1:], "answered": frozenset({0})}, [KEPT]),
        ({"entries": (*GOOD.entries, GOOD.entries[0])}, [ONCE]),
        ({"entries": (*GOOD.entries[:1], Entry(1, "waiting"), GOOD.entries[2])}, [ENDED]),
        ({"entries": (*GOOD.entries[:1], Entry(1, "superseded"), GOOD.entries[2])}, [ENDED]),
        ({"entries": (*GOOD.entries[:1], Entry(1, "dead", "ruleset_unknown"), GOOD.entries[2])}, [ENDED]),
        ({"entries": (*GOOD.entries[:1], Entry(1, "done", written=True), GOOD.entries[2])}, [DONE]),
        ({"writes": (*GOOD.writes, Written(300.0, RECORD, {"p9": "v2"}))}, [SAID]),
        ({"final": {RECORD: {"p0": "v0"}}}, [FINAL]),
        ({"final": {}}, [FINAL]),
        ({"writes": TWICE}, [NO_REPEAT]),
        ({"left": {"leases": 2}}, [EMPTY]),
        ({"fallen": ("worker-1 ended by itself with code 1",)}, [PROCESSES]),
        ({"stubborn": ("worker-1",)}, [PROCESSES]),
        ({"recoveries": (Recovery(100.0, 31.0, "lane"),)}, [RECOVERED]),
    ],
)
def test_each_check_finds_its_own(changes: dict[str, Any], wrong: list[int]) -> None:
    assert found(replace(GOOD, **changes)) == wrong


def test_an_older_value_over_a_newer_one_is_found_though_the_end_is_right() -> None:
    assert FENCED in found(replace(GOOD, writes=BACK))


def test_a_dead_event_does_not_have_to_stand_and_may() -> None:
    """Its first try may have happened unseen, before its second one was refused."""
    entries = (*GOOD.entries[:1], Entry(1, "superseded", "newer_fact"), Entry(2, "dead", "http_400"))
    for stands in ("v1", "v2"):
        assert FINAL not in found(replace(GOOD, entries=entries, final={RECORD: {"p0": stands}}))
    assert FINAL in found(replace(GOOD, entries=entries, final={RECORD: {"p0": "v0"}}))


def test_a_slow_recovery_is_forgiven_only_if_something_came_in_its_way() -> None:
    slow = replace(GOOD, recoveries=(Recovery(100.0, 40.0, "lane"),))
    own, ingress = Disturbance("worker-1", "kill", 100.01, 101.0), Disturbance("ingress-1", "kill", 110.0, 111.0)
    assert found(replace(slow, disturbances=(own, ingress))) == [RECOVERED]
    assert found(replace(slow, disturbances=(own, Disturbance("worker-2", "stop", 110.0, 120.0)))) == []


@pytest.mark.parametrize(
    ("disturbance", "excused"),
    [
        (Disturbance("worker-1", "kill", 200.1, 201.0), True),
        (Disturbance("worker-1", "kill", 190.0, 200.0), False),  # it was dead already
        (Disturbance("worker-1", "kill", 202.0, 203.0), False),  # it had long been recorded
        (Disturbance("worker-1", "term", 200.0, 201.0), False),  # SIGTERM loses and repeats nothing
        (Disturbance("ingress-1", "kill", 200.0, 201.0), False),  # it has no part in writing
        (Disturbance("sandbox", "stop", 200.0, 201.0), False),
        (Disturbance("worker-1", "stop", 200.1, 220.0), True),
        (Disturbance("worker-1", "stop", 150.0, 190.0), False),
        (Disturbance("worker-1", "stop", 150.0, 202.9), True),  # its call left when it woke up
        (Disturbance("valkey", "kill", 195.0, 199.5), True),  # the record did not get through
        (Disturbance("valkey", "kill", 202.0, 203.0), True),  # acknowledged, but not written yet
        (Disturbance("valkey", "stop", 150.0, 156.0), False),
    ],
)
def test_a_repeat_is_excused_by_what_happened_around_the_first_write(
    disturbance: Disturbance, *, excused: bool
) -> None:
    evidence = replace(GOOD, writes=TWICE, disturbances=(disturbance,))
    assert found(evidence) == ([] if excused else [NO_REPEAT])
    assert len(judge(STREAM, evidence).repeats) == excused


@pytest.mark.parametrize(
    ("fault", "excused"),
    [
        (Fault(status=500, applied=True), True),
        (Fault(cut="after"), True),
        (Fault(slow_ms=21_000), True),
        (Fault(slow_ms=2_000), False),
        (None, False),
    ],
)
def test_a_repeat_is_excused_by_an_answer_that_did_not_say_so(fault: Fault | None, *, excused: bool) -> None:
    first, second = TWICE[1:]
    assert bool(excuse(replace(first, fault=fault), second, ())) == excused


def test_a_slow_answer_is_open_until_it_is_there_even_if_sakari_sleeps() -> None:
    first, second = (replace(write, fault=Fault(slow_ms=2_000)) for write in TWICE[1:])
    kill = Disturbance("worker-1", "kill", 205.5, 206.0)
    assert not excuse(first, second, (kill,))
    assert excuse(first, second, (kill, Disturbance("sandbox", "stop", 201.0, 205.0)))


def test_a_call_that_a_sleeping_sakari_sees_later_may_have_been_sent_before_its_worker_was_killed() -> None:
    kill, sleep = Disturbance("worker-1", "kill", 197.0, 198.0), Disturbance("sandbox", "stop", 196.0, 199.9)
    first, second = TWICE[1:]
    assert not excuse(first, second, (kill,))
    assert excuse(first, second, (kill, sleep))


def test_waking_up_with_a_call_at_hand_does_not_excuse_an_older_value() -> None:
    first, second = TWICE[1:]
    stop = Disturbance("worker-1", "stop", 150.0, 202.9)
    assert excuse(first, second, (stop,))
    assert not excuse(first, second, (stop,), late=False)
