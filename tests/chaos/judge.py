"""The checks: pure functions over the stream and the evidence. Each says what it found wrong, and may say more."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

from msgspec import Struct

from tests.chaos.crm import Answer
from tests.chaos.evidence import Evidence, Written
from tests.chaos.excuses import excuse
from tests.chaos.monkey import Disturbance
from tests.chaos.recovery import Recovery
from tests.chaos.stage import WORKERS
from tests.chaos.stream import Stream

RECOVERY_S = 30.0
STANDSTILL_S = 7.0
"""A pause of Valkey that is longer than this is looked at by itself."""
_NOTICED_S = 0.5
_PATIENCE_S = 4.5
"""For how long a sender may wait while Valkey stands still: 3 s for Valkey, then the disk, on a machine with much to do."""
_TOLD = {"hubspot": 503, "pipedrive": 200}
_SAME_S = 0.1
"""Within so much, a recovery and a kill are of the same blow."""
_ENDS = {"done", "superseded", "skipped", "dead", "unruled"}
_REFUSED = {"http_400", "unauthorized"}
"""The reasons for which a run may die: Sakari refused the call, or two tokens in a row."""


class Check(Struct, frozen=True):
    """What was looked at, what is wrong (nothing, if it is good), and a remark."""

    name: str
    wrong: tuple[str, ...]
    remark: str = ""


class Verdict(Struct, frozen=True):
    """All checks, and the uncertain repeats: what was done twice, and why nobody could know better."""

    checks: tuple[Check, ...]
    repeats: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(check.wrong for check in self.checks)


def judge(stream: Stream, evidence: Evidence) -> Verdict:
    """Look at everything."""
    repeats, duplicates = _repeats(evidence)
    reasons = Counter(repeat.rpartition(": ")[2] for repeat in repeats)
    checks = (
        Check("every event answered 2xx is kept", tuple(_lost(evidence))),
        Check("every kept event is kept once", tuple(_kept_twice(evidence))),
        Check("every kept event has an end, and a reason for it", tuple(_endless(evidence)), _ends(evidence)),
        Check("what is done was written", tuple(_done_unwritten(stream, evidence))),
        Check("nothing was written that no CRM said", tuple(_invented(stream, evidence))),
        Check("Sakari ends as the sorted stream does", tuple(_wrong_ends(stream, evidence))),
        Check("no older value was written over a newer one", tuple(_stale(evidence))),
        Check("nothing was written twice for no reason", tuple(duplicates), f"{reasons.total()} uncertain repeats"),
        Check("nothing is left over", tuple(f"{many} in {where}" for where, many in evidence.left.items())),
        Check("no process fell over, or ignored SIGTERM", _processes(evidence)),
        Check(f"a killed worker's lanes go on within {RECOVERY_S:.0f} s", *_recovery(evidence)),
    )
    still = [one for one in evidence.disturbances if one.target == "valkey" and one.ends - one.begins > STANDSTILL_S]
    return Verdict((*checks, *(_standstill(one, evidence) for one in still)), tuple(repeats))


def _lost(evidence: Evidence) -> Iterator[str]:
    kept = {entry.fact for entry in evidence.entries}
    return (f"event {fact} was answered 2xx, and is not in the journal" for fact in sorted(evidence.answered - kept))


def _kept_twice(evidence: Evidence) -> Iterator[str]:
    times = Counter(entry.fact for entry in evidence.entries)
    return (f"event {fact} is in the journal {many} times" for fact, many in times.items() if many > 1)


def _endless(evidence: Evidence) -> Iterator[str]:
    for entry in evidence.entries:
        if entry.state not in _ENDS:
            yield f"event {entry.fact} is {entry.state} ({entry.reason})"
        elif entry.state not in {"done", "unruled"} and not entry.reason:
            yield f"event {entry.fact} is {entry.state} without a reason"
        elif entry.state == "dead" and entry.reason not in _REFUSED:
            yield f"event {entry.fact} is dead, and not by Sakari's doing ({entry.reason})"


def _ends(evidence: Evidence) -> str:
    ends = Counter(f"{e.state} by {e.reason}" if e.state == "dead" else e.state for e in evidence.entries)
    return ", ".join(f"{many} {end}" for end, many in ends.most_common())


def _done_unwritten(stream: Stream, evidence: Evidence) -> Iterator[str]:
    seen = {(write.record, *pair) for write in evidence.writes for pair in write.values.items()}
    for entry in evidence.entries:
        fact = stream.facts[entry.fact]
        if entry.written and not any((*effect, fact.value) in seen for effect in fact.effects):
            yield f"event {entry.fact} is done, and Sakari was never told"


def _invented(stream: Stream, evidence: Evidence) -> Iterator[str]:
    meant = {(*effect, fact.value) for fact in stream.facts for effect in fact.effects}
    for write in evidence.writes:
        for pair in write.values.items():
            if (write.record, *pair) not in meant:
                yield f"{write.record} {pair[0]} was set to {pair[1]}"


def _wrong_ends(stream: Stream, evidence: Evidence) -> Iterator[str]:
    """The newest fact stands. A dead one may: its first try may have happened unseen, and its second been refused."""
    living: dict[tuple[str, str], int] = {}
    dead: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for entry in evidence.entries:
        for effect in stream.facts[entry.fact].effects:
            if entry.state == "dead":
                dead[effect].add(entry.fact)
            else:
                living[effect] = max(living.get(effect, -1), entry.fact)
    for effect in living.keys() | dead.keys():
        newest = living.get(effect, -1)
        allowed = {newest} | {fact for fact in dead[effect] if fact > newest}
        record, attribute = effect
        stands = int(evidence.final.get(record, {}).get(attribute, "v-1").removeprefix("v"))
        if stands not in allowed:
            yield f"{' '.join(effect)} ends as v{stands}, not as v{newest}"


def _stale(evidence: Evidence) -> Iterator[str]:
    """An older value may follow a newer one only if nobody could know that the newer one had been written."""
    for effect, writes in _by_effect(evidence).items():
        for before, after in pairwise(writes):
            older, newer = (int(write.values[effect[1]].removeprefix("v")) for write in (after, before))
            if older < newer and not excuse(before, after, evidence.disturbances, late=False):
                yield f"{' '.join(effect)}: v{older} was written over v{newer}"


def _repeats(evidence: Evidence) -> tuple[list[str], list[str]]:
    """Values that were written more than once, each with its excuse; and those without any."""
    excused: list[str] = []
    duplicates: list[str] = []
    for (record, attribute), writes in _by_effect(evidence).items():
        times: defaultdict[str, list[Written]] = defaultdict(list)
        for write in writes:
            times[write.values[attribute]].append(write)
        for value, same in times.items():
            for first, second in pairwise(same):
                what = f"{record} {attribute} {value} after {second.at - first.at:.1f} s"
                why = excuse(first, second, evidence.disturbances)
                (excused if why else duplicates).append(f"{what}: {why}" if why else what)
    return excused, duplicates


def _by_effect(evidence: Evidence) -> dict[tuple[str, str], list[Written]]:
    found: defaultdict[tuple[str, str], list[Written]] = defaultdict(list)
    for write in evidence.writes:
        for attribute in write.values:
            found[write.record, attribute].append(write)
    return found


def _processes(evidence: Evidence) -> tuple[str, ...]:
    return (*evidence.fallen, *(f"{name} had to be killed after SIGTERM" for name in evidence.stubborn))


def _recovery(evidence: Evidence) -> tuple[tuple[str, ...], str]:
    """Only a recovery that nothing else came in the way of says how long one takes."""
    alone = [one.took_s for one in evidence.recoveries if not _hindered(one, evidence)]
    others = [one.took_s for one in evidence.recoveries if _hindered(one, evidence)]
    wrong = tuple(f"one took {took:.1f} s" for took in alone if took > RECOVERY_S)
    return wrong, f"{_range(alone)} alone; {_range(others)} with other blows on top"


def _hindered(one: Recovery, evidence: Evidence) -> bool:
    """Whether a worker or Valkey was disturbed while a killed worker's lanes were to recover."""
    return any(
        other.begins < one.killed_at + one.took_s and other.ends > one.killed_at
        for other in evidence.disturbances
        if other.target in (*WORKERS, "valkey") and abs(other.begins - one.killed_at) > _SAME_S
    )


def _range(took: list[float]) -> str:
    return f"median {median(took):.1f} s, longest {max(took):.1f} s of {len(took)}" if took else "none"


def _standstill(pause: Disturbance, evidence: Evidence) -> Check:
    """While Valkey stood still HubSpot had to come back, and Pipedrive's deliveries went to disk, both before long."""
    asked = [a for a in evidence.answers if pause.begins + _NOTICED_S <= a.asked <= pause.ends - _PATIENCE_S]
    wrong = [f"{a.source} was told {a.status}" for a in asked if a.status != _TOLD[a.source]]
    wrong += [f"{a.source} waited {a.took_s:.1f} s" for a in asked if a.took_s > _PATIENCE_S]
    wrong += [] if {a.source for a in asked} == set(_TOLD) else ["not both CRMs sent something meanwhile"]
    told = ", ".join(f"{many} times {status} to {who}" for (who, status), many in _counted(asked))
    slowest = max((a.took_s for a in asked), default=0.0)
    after = evidence.settled - pause.ends
    return Check(
        f"Valkey stood still for {pause.ends - pause.begins:.0f} s, and every sender was told what it should be",
        tuple(wrong),
        f"{told}; the slowest after {slowest:.1f} s; all that had waited was done {after:.1f} s after it went on",
    )


def _counted(answers: list[Answer]) -> list[tuple[tuple[str, int], int]]:
    return sorted(Counter((answer.source, answer.status) for answer in answers).items())
