"""A rule set is found again by its version, and is as durable as what was decided under it."""

from service.store import Options, Store, open_store, rulesets

FILES = {"a.yaml": "version: 1\n"}


async def _waits_for_the_disk(store: Store) -> int:
    stats = await store.redis.info("commandstats")
    return int(stats.get("cmdstat_waitaof", {"calls": 0})["calls"])


async def test_a_rule_set_is_found_by_its_version_and_no_other(store: Store) -> None:
    await rulesets.keep(store, "v1", FILES)
    assert await rulesets.read(store, "v1") == FILES
    assert await rulesets.read(store, "v2") is None


async def test_a_rule_set_is_on_disk_before_anything_is_decided_under_it(store: Store) -> None:
    before = await _waits_for_the_disk(store)
    await rulesets.keep(store, "v1", FILES)
    assert await _waits_for_the_disk(store) == before + 1


async def test_without_fsync_nobody_waits(store: Store, redis_url: str) -> None:
    quick = open_store(redis_url, Options(fsync=False))
    before = await _waits_for_the_disk(store)
    await rulesets.keep(quick, "v1", FILES)
    assert await _waits_for_the_disk(store) == before
    assert await rulesets.read(store, "v1") == FILES
    await quick.close()
