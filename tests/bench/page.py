"""`python -m tests.bench.page FILE.json`: put the result of a run into docs/performance.md, between its two marks."""

import itertools
import re
import sys
from pathlib import Path

import msgspec

from tests.bench.result import Line, Result, cells, spread_of

PAGE = Path("docs/performance.md")
_PLACE = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.DOTALL)


def filled(page: str, result: Result) -> str:
    """The page with this result in it. Raises ValueError if the page has no marks."""
    if not _PLACE.search(page):
        raise ValueError("the page has no place for results: `<!-- results -->` … `<!-- end of results -->`")
    return _PLACE.sub(lambda marks: f"{marks[1]}\n{markdown(result)}\n{marks[2]}", page)


def markdown(result: Result) -> str:
    """A sentence on the machine, what was promised, and a table for each measure."""
    machine = result.machine
    load = ", ".join(f"{part:.1f}" for part in machine.load)
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    parts = [
        f"Commit `{machine.commit}`, {result.started[:10]}, {result.rounds} rounds. Load averages before: {load}.\n",
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:.0f} GiB, Linux {machine.kernel}.\n",
        f"Python {machine.python}, {machine.redis.partition(' sha')[0]}, {versions}.\n",
        *(f"Not measured: {reason}.\n" for reason in result.skipped),
        *_promises([line for line in result.lines if line.met is not None]),
    ]
    for measure, lines in itertools.groupby(result.lines, key=lambda line: line.measure):
        parts += [
            f"### {measure}\n",
            "| | median | least … most | beside its yardstick | target |",
            "|---|--:|--:|--:|--:|",
        ]
        parts += ["| " + " | ".join(cells(line)) + " |" for line in lines]
        parts.append("")
    return "\n".join(parts)


def _promises(lines: list[Line]) -> list[str]:
    """The lines with a target, and the spread of what it is held against."""
    if not lines:
        return []
    missed = [line for line in lines if not line.met]
    return [
        f"### Targets: {len(lines) - len(missed)} met, {len(missed)} missed\n",
        "| | found | least … most | target |",
        "|---|--:|--:|--:|",
        *(f"| {' | '.join(_promise(line))} |" for line in lines),
        "",
    ]


def _promise(line: Line) -> tuple[str, str, str, str]:
    title, median, _, ratio, target = cells(line)
    by_ratio = line.target is not None and line.target.of == "ratio"
    return title, ratio if by_ratio else median, f"{'× ' if by_ratio else ''}{spread_of(line.judged)}", target


def main(file: str) -> None:
    """Rewrite the page."""
    result = msgspec.json.decode(Path(file).read_bytes(), type=Result)
    PAGE.write_text(filled(PAGE.read_text(), result))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.bench.page FILE.json")
    main(sys.argv[1])
