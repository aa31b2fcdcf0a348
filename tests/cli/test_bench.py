"""`sluice bench` finds the bench of a checkout, and says so where there is none."""

import subprocess
from pathlib import Path

from service.dev.processes import sluice

ROOT = Path(__file__).parents[2]


def _bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = sluice("bench", *options)
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


def test_bench_runs_the_measures_of_the_checkout() -> None:
    done = _bench(ROOT, "--help")
    assert done.returncode == 0
    assert "end-to-end" in done.stdout


def test_bench_hands_on_what_the_measures_exit_with() -> None:
    assert _bench(ROOT, "no-such-measure").returncode == 2


def test_bench_outside_of_a_checkout_says_what_it_needs(tmp_path: Path) -> None:
    done = _bench(tmp_path)
    assert done.returncode == 2
    assert "run it in a checkout" in done.stderr
