"""Loading: files to rules, and what one broken file does to the others."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine import load, read_folder, read_paths
from service.engine.scope import StepScope
from tests.engine.examples import ACTIONS, NOW, load_text, rule, rules_of

EXAMPLE = """
version: 1
rules:
  - id: customer-leaves-nurture
    description: A new customer gets the state of the nurture drip written to Sakari.
    event: [contact.updated, contact.created]
    expires: 2d
    mode: shadow
    when:
      source: hubspot
      contact.lifecyclestage: { changed_to: customer }
      not: { origin: import }
    then:
      - do: fetch_executions
        as: drip
        with: { campaign: 6604b1d2f1a3, contact: { hubspot: "${contact.id}" } }
      - do: update_attributes
        if: { drip.found: true, contact.city: { exists: true } }
        with:
          type: contacts
          contact:
            hubspot: { id: "${contact.id}" }
            list: [a, "${contact.city}"]
            attributes: { nurture_status: "${drip.latest.status}", by: "${actor | default(nobody)}" }
"""


def test_a_rule_is_compiled() -> None:
    rule_set = rules_of(EXAMPLE)
    (one,) = rule_set.rules
    assert rule_set.by_id == {"customer-leaves-nurture": one}
    assert one.description.startswith("A new customer")
    assert one.events == ("contact.updated", "contact.created")
    assert (one.mode, one.expires_ms, one.file, one.line) == ("shadow", 172_800_000, "r.yaml", 4)
    fetch, update = one.steps
    assert (fetch.index, fetch.do, fetch.name, fetch.conditional) == (0, "fetch_executions", "drip", False)
    assert fetch.uses == fetch.needs == {"contact.id"}
    assert fetch.results == frozenset()
    assert (update.index, update.name, update.conditional) == (1, "", True)
    assert update.uses == {"contact.id", "contact.city", "actor"}
    assert update.needs == {"contact.id", "contact.city"}
    assert update.results == {"drip.found", "drip.latest.status"}


def test_a_step_answers_its_condition_and_fills_its_templates() -> None:
    fetch, update = rules_of(EXAMPLE).rules[0].steps
    scope = StepScope(
        {"contact.id": "5", "contact.city": "Oslo"}, {"drip": {"found": True, "latest": {"status": "active"}}}
    )
    assert fetch.applies(scope, NOW) is True
    assert fetch.resolve(scope) == {"campaign": "6604b1d2f1a3", "contact": {"hubspot": "5"}}
    assert update.applies(scope, NOW) is True
    assert update.resolve(scope) == {
        "type": "contacts",
        "contact": {
            "hubspot": {"id": "5"},
            "list": ["a", "Oslo"],
            "attributes": {"nurture_status": "active", "by": "nobody"},
        },
    }
    assert update.applies(StepScope({}, {"drip": {"found": False}}), NOW) is False
    assert update.applies(StepScope({"contact.city": "Oslo"}, {"drip": {}}), NOW) is None


def test_what_is_left_out_has_its_default() -> None:
    (one,) = rules_of(rule()).rules
    assert (one.description, one.mode, one.expires_ms) == ("", "live", 86_400_000)
    assert one.steps[0].applies(StepScope({}, {}), NOW) is True


@pytest.mark.parametrize(
    "then",
    [
        "{ do: upsert_contact, with: { mobile: '${contact.x}', score: '${contact.x}', tags: '${contact.x}' } }",
        "{ do: upsert_contact, with: { mobile: 'a ${contact.x}', score: '${contact.x}0', kind: 'x${contact.x}' } }",
        "{ do: upsert_contact, with: { mobile: '1', rank: 5, ratio: 1, kind: mobile, consent: true, score: 100 } }",
        "{ do: upsert_contact, with: { mobile: '1', rank: first, ratio: null, address: { city: Oslo } } }",
        "{ do: fetch_executions, with: { campaign: c, contact: { any: [1, { thing: null }] } } }",
        "{ do: upsert_contact, with: '${hubspot.everything}' }",
    ],
)
def test_arguments_that_fit(then: str) -> None:
    rules_of(rule(then=f"[{then}]"))


def test_a_broken_file_stops_nobody_elses_rules() -> None:
    good, bad, empty = rule().encode(), b"version: 1\nrules: [", b"version: 1\nrules: []\n"
    loaded = load({"b.yaml": bad, "a.yaml": good, "c.yaml": empty}, ACTIONS)
    assert loaded.broken == {"b.yaml"}
    assert [found.id for found in loaded.rule_set.rules] == ["one"]
    assert loaded.rule_set.files == {"a.yaml": good.decode(), "c.yaml": empty.decode()}
    assert [(problem.file, problem.severity) for problem in loaded.problems] == [
        ("b.yaml", "error"),
    ]


def test_one_error_keeps_the_other_rules_of_its_file_out_and_a_warning_does_not() -> None:
    second = rule(id="two").partition("rules:\n")[2]
    assert load_text(rule(mode="of") + second).rule_set.rules == ()
    loaded = load_text(rule(event="contact.update") + second)
    assert [problem.code for problem in loaded.problems] == ["R208"]
    assert [found.id for found in loaded.rule_set.rules] == ["one", "two"]


def test_an_empty_list_of_rules_is_fine() -> None:
    assert rules_of("version: 1\nrules: []\n").rules == ()


def test_an_id_belongs_to_the_file_that_comes_first() -> None:
    loaded = load({name: rule().encode() for name in ("b.yaml", "a.yaml", "c.yaml")}, ACTIONS)
    assert loaded.broken == {"b.yaml", "c.yaml"}
    assert [found.file for found in loaded.rule_set.rules] == ["a.yaml"]
    assert {(problem.file, problem.severity) for problem in loaded.problems} == {
        ("a.yaml", "warning"), ("b.yaml", "error"), ("c.yaml", "error"),
    }  # fmt: skip


def test_a_file_that_is_broken_anyway_takes_no_ids() -> None:
    loaded = load({"a.yaml": rule(mode="of").encode(), "b.yaml": rule().encode(), "c.yaml": rule().encode()}, ACTIONS)
    assert loaded.broken == {"a.yaml", "c.yaml"}
    assert [found.file for found in loaded.rule_set.rules] == ["b.yaml"]


def test_the_files_of_a_rule_set_make_it_again() -> None:
    files = {"a.yaml": b"\xef\xbb\xbf" + EXAMPLE.encode(), "b/c.yaml": rule().encode()}
    first = load(files, ACTIONS).rule_set
    again = load({name: text.encode() for name, text in first.files.items()}, ACTIONS).rule_set
    assert again == first
    assert len(first.version) == 16


def test_the_version_tells_names_and_texts_apart() -> None:
    text = rule().encode()
    sets = [
        {},
        {"a.yaml": text},
        {"b.yaml": text},
        {"a.yaml": text + b"\n"},
        {"a.yaml": text, "b.yaml": b"version: 1\nrules: []"},
    ]
    assert len({load(files, ACTIONS).rule_set.version for files in sets}) == len(sets)
    assert load(dict(reversed(sets[4].items())), ACTIONS).rule_set.version == load(sets[4], ACTIONS).rule_set.version


WORD = st.sampled_from(
    ["version", "rules", "id", "event", "when", "then", "do", "as", "if", "with", "any", "not", "eq", "in", "contact.x"]
)
SCALAR = st.sampled_from([1, "one", "contact.updated", "upsert_contact", "${contact.x}", "${", None, True, 2.5, ""])
TREE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=4))
STEP = st.fixed_dictionaries({"do": SCALAR}, optional={"as": TREE, "if": TREE, "with": TREE})
RULE = st.fixed_dictionaries({"id": SCALAR, "event": TREE, "then": st.lists(STEP, max_size=2)}, optional={"when": TREE})


@given(TREE | st.fixed_dictionaries({"version": st.just(1), "rules": TREE | st.lists(RULE | TREE)}))
def test_no_file_makes_load_raise(tree: object) -> None:
    loaded = load_text(repr(tree).replace("None", "null"))
    assert bool(loaded.broken) == any(problem.severity == "error" for problem in loaded.problems)


def test_a_folder_is_read_as_kubernetes_mounts_it(tmp_path: Path) -> None:
    real = tmp_path / "..2026_11_22"
    (real / "sub").mkdir(parents=True)
    (real / "r.yaml").write_bytes(b"r")
    (real / "sub" / "s.yml").write_bytes(b"s")
    (tmp_path / "..data").symlink_to(real.name)
    (tmp_path / "r.yaml").symlink_to("..data/r.yaml")
    (tmp_path / "sub").symlink_to("..data/sub")
    assert read_folder(tmp_path) == {"r.yaml": b"r", "sub/s.yml": b"s"}


def test_only_rule_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "deals").mkdir()
    for name in ("b.yaml", "a.yaml", "deals/c.yaml", "a.test.yaml", ".hidden.yaml", "README.md", "deals/.x.yaml"):
        (tmp_path / name).write_text(name)
    (tmp_path / "deals" / "loop").symlink_to(tmp_path)
    assert list(read_folder(tmp_path)) == ["a.yaml", "b.yaml", "deals/c.yaml"]
    with pytest.raises(FileNotFoundError):
        read_folder(tmp_path / "none")


def test_named_files_and_folders_are_read_once_each(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.yaml", "sub/a.yml", "sub/x.test.yaml", "x.test.yml", "rules.txt", "c.yaml"):
        (tmp_path / name).write_text(name)
    named = [tmp_path / name for name in ("sub", "sub/a.yml", "rules.txt", "x.test.yml", "b.yaml")]
    assert read_paths(named) == {
        f"{tmp_path}/sub/a.yml": b"sub/a.yml",
        f"{tmp_path}/rules.txt": b"rules.txt",
        f"{tmp_path}/b.yaml": b"b.yaml",
    }
