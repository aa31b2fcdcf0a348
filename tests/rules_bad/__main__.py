"""Write the expected output beside every bad rule file: `python -m tests.rules_bad`. Read the difference it makes."""

from pathlib import Path

from service.actions import ACTIONS
from service.engine import load, render

FOLDER = Path(__file__).parent


def output(file: Path) -> str:
    """What lint says about one file."""
    problems = load({file.name: file.read_bytes()}, ACTIONS).problems
    return "".join(render(problem) + "\n" for problem in problems)


if __name__ == "__main__":
    for bad in sorted(FOLDER.glob("*.yaml")):
        bad.with_suffix(".txt").write_text(output(bad), encoding="utf-8")
