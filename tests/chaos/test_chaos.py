"""Real processes are killed, and every promise is kept; with a fault built in, the judge finds it."""

from pathlib import Path

import pytest

from tests.chaos.judge import Verdict, judge
from tests.chaos.run import play
from tests.chaos.sabotage import FAULTS
from tests.chaos.script import WRITERS, short

pytestmark = pytest.mark.slow


def _told(verdict: Verdict) -> str:
    return "\n".join(f"{check.name}: {'; '.join(check.wrong[:5])}" for check in verdict.checks if check.wrong)


async def test_a_short_run_keeps_every_promise(tmp_path: Path) -> None:
    script = short(1, 600, 6)
    played = await play(script, tmp_path)
    verdict = judge(script.stream, played.evidence)

    assert verdict.good, _told(verdict)
    assert len(played.evidence.entries) > 500
    assert sum(one.kind == "kill" for one in played.evidence.disturbances) == 6


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("claim-before-enqueue", "every event answered 2xx is kept"),
        ("no-fence", "no older value was written over a newer one"),
        ("lease-not-checked", "no older value was written over a newer one"),
    ],
)
async def test_a_deliberate_fault_is_found(tmp_path: Path, fault: str, found: str) -> None:
    write, events, kills = WRITERS[FAULTS[fault][1]]
    script = write(1, events, kills, fault)
    played = await play(script, tmp_path)

    assert found in {check.name for check in judge(script.stream, played.evidence).checks if check.wrong}
