"""Real processes are killed, and every promise is kept; with a fault built in, the judge finds it."""

from pathlib import Path

import pytest

from tests.chaos.judge import Verdict, judge
from tests.chaos.run import play
from tests.chaos.sabotage import FAULTS
from tests.chaos.script import WRITERS, Script, restarts, short, standstill

pytestmark = pytest.mark.chaos


async def _verdict(script: Script, folder: Path) -> Verdict:
    folder.mkdir()
    return judge(script.stream, (await play(script, folder)).evidence)


def _told(verdict: Verdict) -> str:
    return "\n".join(f"{check.name}: {'; '.join(check.wrong[:5])}" for check in verdict.checks if check.wrong)


async def test_every_promise_is_kept_while_everything_is_killed(tmp_path: Path) -> None:
    verdict = await _verdict(short(1, 500, 6), tmp_path / "short")
    assert verdict.good, _told(verdict)


async def test_processes_that_are_asked_to_end_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    verdict = await _verdict(restarts(1, 400, 6), tmp_path / "restarts")
    assert verdict.good, _told(verdict)
    assert not verdict.repeats


async def test_while_redis_stands_still_every_sender_is_told_what_it_should_be(tmp_path: Path) -> None:
    verdict = await _verdict(standstill(1, 400, 10), tmp_path / "standstill")
    assert verdict.good, _told(verdict)
    assert verdict.checks[-1].name.startswith("Valkey stood still")


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("claim-before-enqueue", "every event answered 2xx is kept"),
        ("no-fence", "no older value was written over a newer one"),
        ("lease-not-checked", "no older value was written over a newer one"),
    ],
)
async def test_a_deliberate_fault_is_found(tmp_path: Path, fault: str, found: str) -> None:
    """A run has its luck: a fault counts as found if one of three seeds shows it."""
    write, events, blows = WRITERS[FAULTS[fault][1]]
    wrong: set[str] = set()
    for seed in (1, 2, 3):
        verdict = await _verdict(write(seed, events, blows, fault), tmp_path / f"seed-{seed}")
        wrong |= {check.name for check in verdict.checks if check.wrong}
        if found in wrong:
            return
    pytest.fail(f"{fault} went unnoticed; what else was wrong: {wrong or 'nothing'}")
