"""What `sluice dev` tells of an outage."""

from pathlib import Path
from typing import Literal

import pytest
from rich.text import Text

from service.dev.outage_watch import circuit_line, end_line
from service.store.pace import AccountState


@pytest.mark.parametrize(
    ("circuit", "said"),
    [
        (
            "open",
            "✗ circuit opened: Sakari is down; runs of account default wait, and it is tried until it answers ([no] answer)",
        ),
        (
            "paused",
            "✗ account default paused: Sakari refuses it; its runs wait, and it is tried every minute ([no] answer)",
        ),
        ("closed", "● circuit closed: Sakari answers again, and account default works off what has waited"),
    ],
)
def test_a_change_of_the_circuit_says_what_becomes_of_the_runs(
    circuit: Literal["closed", "open", "paused"], said: str
) -> None:
    account = AccountState(name="default", rate=1, burst=1, rate_now=1, circuit=circuit, message="[no] answer")
    assert Text.from_markup(circuit_line(account)).plain == said


@pytest.mark.parametrize(("code", "how"), [(-9, "killed by SIGKILL"), (1, "exit code 1"), (0, "exit code 0")])
def test_the_end_of_a_process_says_how_and_what_comes_of_it(code: int, how: str) -> None:
    assert Text.from_markup(end_line("worker", code, Path("logs"))).plain == (
        f"✗ the worker has ended unasked ({how}): events are accepted, and wait; "
        "see logs/worker.log, then start everything anew"
    )
