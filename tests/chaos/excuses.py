"""The declared uncertain set: when a write may be repeated because nobody could know that it had happened.

A write counts as known when its worker has recorded it in Redis, a moment after Sakari's answer. If the worker is killed or
paused before that, if Redis is away, or if the answer does not say that it happened, it is made again. These writes set
values, so that is harmless; anything else would be parked for a person instead.
"""

from collections.abc import Sequence

from tests.chaos.evidence import Written
from tests.chaos.monkey import Disturbance
from tests.chaos.stage import WORKERS

CLIENT_PATIENCE_S = 20.0
"""How long a worker waits for an answer (`Timeouts.read` of service/sakari/connections.py)."""

_RECORDED_S = 1.0
"""From Sakari's answer to the record in Redis, on a machine that has more to do than it can."""
_UNWRITTEN_S = 2.5
"""What Valkey may have acknowledged and not written when it is killed: while an fsync is going on, it holds back writes of
the append-only file for up to two seconds (accepted deliveries wait for the disk, records of workers do not)."""
_AWAKE_S = 0.3
"""A pause may end this much before it is noted to have ended."""

_WORDS = {"kill": "killed", "stop": "paused", "term": "restarted"}


def excuse(first: Written, second: Written, seen: Sequence[Disturbance], *, late: bool = True) -> str:
    """Say why `first` was not known to have happened when `second` was made; empty if it had to be known.

    `late`: whether it also counts that the second was on its way when its worker was paused, and left when it went on.
    """
    if reason := _answer(first):
        return reason
    sent, answered = _sent(first, seen), _answered(first, seen)
    for one in seen:
        name = one.target.capitalize() if one.target == "valkey" else one.target
        begins, ends = one.begins - _RECORDED_S, one.begins + _RECORDED_S
        if one.target == "valkey":
            begins, ends = one.begins - _UNWRITTEN_S, one.ends + _RECORDED_S
        elif one.target not in WORKERS or one.kind == "term":
            continue
        if sent <= ends and answered >= begins:
            return f"{name} was {_WORDS[one.kind]}"
        if late and one.kind == "stop" and one.ends - _AWAKE_S <= second.at <= one.ends + _RECORDED_S:
            return f"{name} was {_WORDS[one.kind]}, with a call on its way"
    return ""


def _answer(first: Written) -> str:
    fault = first.fault
    if fault is None:
        return ""
    if fault.cut:
        return "Sakari cut the connection"
    if fault.status and fault.status >= 500:
        return f"Sakari did it and answered {fault.status}"
    return "Sakari answered too late" if fault.slow_ms / 1000 >= CLIENT_PATIENCE_S else ""


def _sent(first: Written, seen: Sequence[Disturbance]) -> float:
    """When the call may have left: before Sakari was paused, if Sakari saw it when it woke up."""
    for one in seen:
        if one.target == "sandbox" and one.kind == "stop" and one.begins <= first.at <= one.ends + _RECORDED_S:
            return one.begins
    return first.at


def _answered(first: Written, seen: Sequence[Disturbance]) -> float:
    """When the answer left: as slow as Sakari was, and no sooner than a pause of Sakari was over."""
    answered = first.at + (first.fault.slow_ms / 1000 if first.fault else 0.0)
    for one in seen:
        if one.target == "sandbox" and one.kind == "stop" and one.begins <= answered and one.ends >= first.at:
            answered = max(answered, one.ends)
    return answered
