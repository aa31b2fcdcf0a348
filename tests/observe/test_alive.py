"""Signs of life: given while a worker polls, and asked for by a probe."""

import os
import subprocess
import sys
import time
from pathlib import Path

from service.observe.alive import STALE_S, signs, verdict


def _probe(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "service.observe.alive", str(file)), capture_output=True, text=True, check=False
    )


def test_a_fresh_sign_passes_the_probe(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    signs(str(file))()
    assert _probe(file).returncode == 0


def test_without_a_sign_the_probe_says_what_is_missing(tmp_path: Path) -> None:
    found = _probe(tmp_path / "alive")
    assert found.returncode == 1
    assert "no sign of life" in found.stderr


def test_an_old_sign_is_none(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.touch()
    old = time.time() - STALE_S - 5
    os.utime(file, (old, old))
    assert _probe(file).returncode == 1
    assert "s old" in verdict(file)


def test_signs_are_not_written_with_every_poll(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    sign = signs(str(file))
    sign()
    os.utime(file, (1, 1))
    sign()
    assert file.stat().st_mtime == 1


def test_a_sign_that_cannot_be_given_stops_nobody(tmp_path: Path) -> None:
    signs(str(tmp_path / "no" / "folder" / "alive"))()
    signs("")()
