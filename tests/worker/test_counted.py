"""What is counted of steps and runs: each step once, whatever it came to, and how long a run took from end to end."""

from collections.abc import Callable

from service.errors import Permanent, Retryable, Uncertain
from service.observe.metrics import REGISTRY
from tests.worker.conftest import FarSide, MakeBench

LOOK = '{ do: look, as: seen, with: { who: "${contact.id}" } }'
TEXT = '{ do: text, with: { who: "${contact.id}", sets: { a: 1 } } }'
PING = '{ do: ping, with: { who: "${contact.id}" } }'
BLEND = '{ do: blend, with: { who: "${contact.id}", sets: { a: "${contact.a}" } } }'


def steps(action: str) -> Callable[[], dict[str, float]]:
    """A way to ask how much the counts of an action's steps have grown from now on."""

    def counts() -> dict[str, float]:
        return {
            sample.labels["outcome"]: sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
            if sample.name == "sluice_steps_total" and sample.labels["action"] == action
        }

    before = counts()
    return lambda: {name: now - before.get(name, 0) for name, now in counts().items() if now != before.get(name, 0)}


async def test_steps_are_counted_by_what_they_came_to(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(LOOK, TEXT.replace("do: text", "do: text, if: { seen.yes: true }"))
    looks, texts = steps("look"), steps("text")
    far.answers += [{"yes": False}]
    await bench.happen("a")
    await bench.drain()
    far.answers += [Retryable("busy", "busy"), {"yes": True}, Permanent("refused", "no")]
    await bench.happen("b", object_id="8")
    await bench.drain()
    await bench.drain()

    assert looks() == {"done": 2, "retryable": 1}
    assert texts() == {"skipped": 1, "permanent": 1}


async def test_what_was_put_off_or_may_have_happened_is_told_apart(make_bench: MakeBench, far: FarSide) -> None:
    bench = await make_bench(PING)
    pings = steps("ping")
    far.answers += [Retryable("paced", "later", due=bench.now()), Uncertain("timeout", "no answer")]
    await bench.happen("a")
    await bench.drain()
    await bench.drain()

    assert pings() == {"put_off": 1, "uncertain": 1}


async def test_runs_that_were_written_by_one_call_count_a_step_each(make_bench: MakeBench) -> None:
    bench = await make_bench(BLEND)
    blends = steps("blend")
    for at in (1, 2, 3):
        await bench.happen(f"f{at}", at=at, a=at)
    await bench.drain()

    assert blends() == {"superseded": 2, "done": 1}


async def test_a_run_is_measured_from_its_acceptance_to_its_end_once(make_bench: MakeBench, far: FarSide) -> None:
    def measured(name: str) -> float:
        return REGISTRY.get_sample_value(f"sluice_run_seconds_{name}", {"source": "hubspot"}) or 0.0

    bench = await make_bench(LOOK)
    runs, seconds = measured("count"), measured("sum")
    far.answers += [Retryable("busy", "busy")]
    await bench.happen("a")
    await bench.drain()
    assert measured("count") == runs
    bench.ahead_ms = 90_000
    await bench.drain()

    assert measured("count") == runs + 1
    assert 90 <= measured("sum") - seconds < 150
