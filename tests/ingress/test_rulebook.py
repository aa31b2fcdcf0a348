"""The rule set in force: what a change of the folder does to it, and what it does not."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.errors import StoreUnavailable
from service.ingress.rulebook import RuleBook
from service.observe.metrics import REGISTRY
from service.store import Options, Store, open_store, rulesets
from tests.engine.examples import ACTIONS, rule

BROKEN = "version: 1\nrules: [{"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "a.yaml").write_text(rule(id="a"))
    (made / "b.yaml").write_text(rule(id="b"))
    return made


def book(folder: Path, store: Store) -> RuleBook:
    return RuleBook(folder, ACTIONS, store)


async def ids(rules: RuleBook) -> list[str]:
    return [one.id for one in (await rules.current()).rules]


async def looked(rules: RuleBook) -> bool:
    """Two looks: what the second one sees is what the first saw."""
    first = await rules.refresh()
    return await rules.refresh() or first


def reloads(result: str) -> float:
    return REGISTRY.get_sample_value("sluice_rules_reloads_total", {"result": result}) or 0.0


async def test_a_changed_file_is_taken_up_once_it_has_settled(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    assert not await looked(rules)
    before = await rules.current()
    (folder / "a.yaml").write_text(rule(id="a2"))
    (folder / "c.yaml").write_text(rule(id="c"))
    (folder / "b.yaml").unlink()

    assert not await rules.refresh()
    assert rules.rule_set is before
    assert await rules.refresh()
    assert await ids(rules) == ["a2", "c"]
    assert not await looked(rules)


async def test_a_change_that_goes_on_is_waited_for(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    for n in range(3):
        (folder / "a.yaml").write_text(rule(id=f"a{n}"))
        assert not await rules.refresh()
    assert await rules.refresh()
    assert await ids(rules) == ["a2", "b"]


async def test_redis_has_the_rules_before_anything_is_decided_under_them(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    first = await rules.current()
    assert await rulesets.in_force(store) == (first.version, first.files)
    (folder / "a.yaml").write_text(rule(id="a2"))
    await looked(rules)
    assert rules.rule_set.version != first.version
    assert await rulesets.in_force(store) == (rules.rule_set.version, rules.rule_set.files)
    assert await rulesets.read(store, first.version) == first.files


async def test_a_mounted_configmap_is_swapped_as_a_whole(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    for version, ids_of in (("..1", "ab"), ("..2", "cd")):
        (folder / version).mkdir(parents=True)
        for name, rule_id in zip("ab", ids_of, strict=True):
            (folder / version / f"{name}.yaml").write_text(rule(id=rule_id))
    (folder / "..data").symlink_to("..1")
    for name in "ab":
        (folder / f"{name}.yaml").symlink_to(f"..data/{name}.yaml")
    rules = book(folder, store)
    assert await ids(rules) == ["a", "b"]

    (folder / "..data_tmp").symlink_to("..2")
    os.replace(folder / "..data_tmp", folder / "..data")  # noqa: PTH105 - as the kubelet does it
    await looked(rules)
    assert await ids(rules) == ["c", "d"]


async def test_a_broken_file_keeps_its_last_good_version_and_is_reported(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    good, broken = reloads("good"), reloads("broken")
    (folder / "a.yaml").write_text(BROKEN)
    (folder / "b.yaml").write_text(rule(id="b2"))
    await looked(rules)

    assert await ids(rules) == ["a", "b2"]
    assert rules.usable
    assert rules.problems[0] == "a.yaml is broken: its last good version stays in force"
    assert rules.problems[1].startswith("a.yaml:")
    assert (reloads("good"), reloads("broken")) == (good, broken + 1)
    assert REGISTRY.get_sample_value("sluice_rules_broken_files") == 1
    assert REGISTRY.get_sample_value("sluice_ruleset_info", {"version": rules.rule_set.version}) == 1

    (folder / "a.yaml").write_text(rule(id="a"))
    await looked(rules)
    assert (rules.problems, reloads("good")) == ([], good + 1)
    assert REGISTRY.get_sample_value("sluice_rules_broken_files") == 0


async def test_a_folder_that_is_suddenly_empty_or_away_turns_nothing_off(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    away = folder.with_name("away")
    folder.rename(away)
    await looked(rules)
    assert await ids(rules) == ["a", "b"]
    assert "cannot be read: No such file or directory; the rules that were in force stay" in rules.problems[0]

    folder.mkdir()
    await looked(rules)
    assert await ids(rules) == ["a", "b"]
    assert "holds no rule files; the rules that were in force stay" in rules.problems[0]

    folder.rmdir()
    away.rename(folder)
    await looked(rules)
    assert rules.problems == []


@pytest.mark.parametrize("how", ["broken", "empty"])
async def test_a_restart_meanwhile_turns_nothing_off_either(store: Store, folder: Path, how: str) -> None:
    version = (await book(folder, store).current()).version
    for name in ("a.yaml", "b.yaml"):
        (folder / name).write_text(BROKEN) if how == "broken" else (folder / name).unlink()
    again = book(folder, store)
    assert not again.usable
    assert (await again.current()).version == version
    assert again.usable


async def test_an_empty_folder_is_no_decision_to_have_no_rules(store: Store, folder: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (folder / name).unlink()
    rules = book(folder, store)
    with pytest.raises(StoreUnavailable):
        await rules.current()
    assert not rules.usable
    assert "holds no rule files" in rules.problems[0]
    (folder / "none.yaml").write_text("version: 1\nrules: []\n")
    await looked(rules)
    assert await ids(rules) == []
    assert rules.usable


@pytest.mark.parametrize("lost", ["", "# all gone\n", "version: 1\nrules:\n"])
async def test_a_file_whose_content_got_lost_keeps_its_rules(store: Store, folder: Path, lost: str) -> None:
    rules = book(folder, store)
    await rules.current()
    (folder / "a.yaml").write_text(lost)
    await looked(rules)
    assert await ids(rules) == ["a", "b"]
    assert "a.yaml is broken: its last good version stays in force" in rules.problems[0]


async def test_without_any_good_version_nothing_is_decided(store: Store, folder: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (folder / name).write_text(BROKEN)
    rules = book(folder, store)
    with pytest.raises(StoreUnavailable, match="no rule file is good"):
        await rules.current()
    assert not rules.usable
    (folder / "a.yaml").write_text(rule(id="a"))
    await looked(rules)
    assert await ids(rules) == ["a"]


async def test_a_process_with_a_broken_file_waits_for_redis_rather_than_decide_without_its_rules(folder: Path) -> None:
    (folder / "a.yaml").write_text(BROKEN)
    nowhere = open_store("redis://127.0.0.1:1/0", Options())
    rules = book(folder, nowhere)
    with pytest.raises(StoreUnavailable):
        await rules.current()
    (folder / "a.yaml").write_text(rule(id="a2"))
    await rules.refresh()
    with pytest.raises(StoreUnavailable):
        await rules.refresh()
    assert [one.id for one in rules.rule_set.rules] == ["b"]
    await nowhere.close()


async def test_keeping_again_does_not_take_the_place_of_newer_rules(store: Store, folder: Path, tmp_path: Path) -> None:
    old = book(folder, store)
    await old.current()
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "n.yaml").write_text(rule(id="n"))
    version = (await book(newer, store).current()).version
    await old.keep()
    found = await rulesets.in_force(store)
    assert found is not None
    assert found[0] == version
    await store.redis.flushall()
    await old.keep()
    assert await rulesets.in_force(store) == (old.rule_set.version, old.rule_set.files)


@contextmanager
def unreadable(file: Path) -> Iterator[None]:
    """A file that nobody can read, root neither: a link to nowhere."""
    content = file.read_text()
    file.unlink()
    file.symlink_to("nowhere")
    yield
    file.unlink()
    file.write_text(content)


async def test_a_file_that_cannot_be_read_is_broken_and_no_more(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    with unreadable(folder / "a.yaml"):
        await looked(rules)
        assert await ids(rules) == ["a", "b"]
        assert "R112" in rules.problems[1]
    await looked(rules)
    assert rules.problems == []


async def test_deliveries_go_on_while_rules_are_loaded(store: Store, folder: Path) -> None:
    rules = book(folder, store)
    before = await rules.current()
    many = "".join(rule(id=f"r{n}").partition("rules:\n")[2] for n in range(300))
    (folder / "a.yaml").write_text("version: 1\nrules:\n" + many)
    await rules.refresh()
    loading = asyncio.create_task(rules.refresh())
    seen = set()
    while not loading.done():
        seen.add((await rules.current()).version)
        await asyncio.sleep(0)
    assert before.version in seen
    assert len((await rules.current()).rules) == 301


async def test_senders_in_an_outage_wait_for_one_attempt_and_not_in_a_queue(folder: Path) -> None:
    connections, over = 0, asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    paused = open_store(f"redis://127.0.0.1:{port}/0", Options(accept_timeout_ms=300))
    rules = book(folder, paused)
    told = await asyncio.gather(*(rules.current() for _ in range(10)), return_exceptions=True)
    assert [type(one) for one in told] == [StoreUnavailable] * 10
    assert connections == 1, "one attempt for all who wait"
    over.set()
    await paused.close()
    server.close()
    await server.wait_closed()
