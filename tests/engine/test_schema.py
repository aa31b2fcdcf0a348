"""The schema of rule files: fresh, kind to every good rule, and aware of what a schema can see."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.cli.rules_schema import PLACE, schema_text
from service.engine.operators import OPERATORS
from service.engine.problem import CODES
from tests import shipped
from tests.rules_bad.__main__ import FOLDER

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "rules" / PLACE

SEEN = {
    *("R101", "R102", "R103", "R104", "R106", "R107", "R108", "R110", "R111", "R201", "R202", "R203", "R204", "R205"),
    *(
        "R207",
        "R209",
        "R210",
        "R211",
        "R213",
        "R214",
        "R215",
        "R301",
        "R302",
        "R303",
        "R306",
        "R307",
        "R309",
        "R310",
        "R401",
    ),
    *("R402", "R403", "R501", "R502", "R503", "R504", "R505"),
}
"""Codes of which the schema sees at least one golden file. The others are about meaning, or about several places."""


def test_the_committed_schema_is_fresh() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), "run: sluice rules schema --write"


def test_every_rule_file_of_ours_names_the_schema() -> None:
    for file in shipped.RULES:
        first = file.read_text(encoding="utf-8").partition("\n")[0]
        assert first == f"# yaml-language-server: $schema={PLACE.as_posix()}", file.name


def test_every_operator_is_described() -> None:
    schema = json.loads(schema_text())
    asked = schema["definitions"]["question"]["anyOf"][2]["properties"]
    assert asked.keys() == OPERATORS.keys()
    assert all(operator["description"] for operator in asked.values())
    in_step = schema["definitions"]["step_question"]["anyOf"][2]["properties"]
    assert asked.keys() - in_step.keys() == {"changed", "changed_to", "changed_from"}


def checked(files: list[Path]) -> dict[str, Any]:
    """What check-jsonschema says of these files."""
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "-o", "json", "--schemafile", str(COMMITTED), *map(str, files)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    return found


def test_good_rules_are_good_to_the_schema(tmp_path: Path) -> None:
    files = list(shipped.RULES)
    for page in [*ROOT.glob("docs/rules/**/*.md"), ROOT / "README.md"]:
        for number, block in enumerate(re.findall(r"(?ms)^```yaml\n(version: 1\nrules:.*?)^```", page.read_text())):
            files.append(tmp_path / f"{page.stem}-{number}.yaml")
            files[-1].write_text(block, encoding="utf-8")
    (odd := tmp_path / "odd.yaml").write_text(ODD, encoding="utf-8")
    found = checked([*files, odd])
    assert found == {"status": "ok", "errors": []}


ODD = """\
version: 1
rules:
  - id: odd
    event: 2-12345.updated
    mode: off
    when: { 2-12345.country: NO, 2-12345.code: 0123, 2-12345.at: 12:30, 2-12345.flag: on, origin: { ne: import } }
    then:
      - do: upsert_contact
        with: { contact: { mobile: { number: +15551234567 }, optIn: 2026-11-07T05:31:56Z, attributes: { a: "$${x" } } }
      - do: upsert_contact
        with: { contact: { mobile: { number: "${2-12345.a | default(\\"x\\") | e164}", valid: "${2-12345.b}" } } }
"""


def test_what_the_schema_can_see_it_sees() -> None:
    bad = [file for file in FOLDER.glob("R*.yaml") if not file.stem.startswith("R105")]  # a bomb kills check-jsonschema
    found = checked(bad)
    names = {Path(problem["filename"]).stem for kind in ("errors", "parse_errors") for problem in found[kind]}
    assert {name.partition("-")[0] for name in names} == SEEN
    assert CODES.keys() >= SEEN
