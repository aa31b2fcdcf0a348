"""`python -m tests.chaos.sabotage FAULT serve|work`: Sluice with one deliberate fault, to see that the judge finds it."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from service.cli import main
from service.errors import StoreUnavailable
from service.ingress import receive
from service.model import Misfit, Plan
from service.store import Receipt, Store, accept, connection, keys
from service.worker import step


def claim_before_enqueue() -> None:
    """Claim an event in one call, and store it in another: whatever comes between the two loses it."""
    _rewrite("accept", "redis.call('GET', claim_prefix .. fact)", "false")

    async def in_two_calls(
        store: Store, source: str, plans: Sequence[Plan], misfits: Sequence[Misfit], *, now: int
    ) -> Receipt:
        fresh = []
        for plan in plans:
            claim, value = keys.CLAIM + plan.event.fact_key, f"0-0 {plan.event.delivery_key}"
            try:
                if await store.redis.set(claim, value, nx=True, px=store.options.claim_ms):
                    fresh.append(plan)
            except (RedisError, OSError) as error:
                raise StoreUnavailable("Redis could not store the claim") from error
        receipt = await accept(store, source, fresh, misfits, now=now)
        ids = dict(zip([plan.event.fact_key for plan in fresh], receipt.events, strict=True))
        events = tuple(ids.get(plan.event.fact_key, "redelivered") for plan in plans)
        return Receipt(events, events.count("redelivered"))

    vars(receive).update(accept=in_two_calls)


def no_fence() -> None:
    """Write whatever comes, however old it is."""
    _rewrite("begin", "if not kept[n] or tonumber(kept[n]) <= tonumber(step.times[n]) then", "if true then")


def lease_not_checked() -> None:
    """Go on with a lane for as long as one likes, whoever else has it by now."""
    _rewrite("begin", "if held[step.lane] ~= step.number then return {'lost'} end", "")
    _rewrite("record", "if held[lane] ~= run.number then return {'lost'} end", "")
    _rewrite("renew", "if held[lane] == number then", "if true then")
    step._LEASE_MARGIN_S = -3600.0


FAULTS: dict[str, tuple[Callable[[], None], str]] = {
    "claim-before-enqueue": (claim_before_enqueue, "outages"),
    "no-fence": (no_fence, "short"),
    "lease-not-checked": (lease_not_checked, "sleepers"),
}
"""Fault -> how to build it in, and the script under which it shows."""


def _rewrite(name: str, honest: str, faulty: str) -> None:
    """Change the text of one script whenever the scripts are loaded."""
    load = connection.load_scripts

    def loaded(redis: Redis) -> dict[str, AsyncScript]:
        scripts: dict[str, Any] = load(redis)
        text = scripts[name].script
        if honest not in text:
            raise SystemExit(f"the script {name} has changed: the fault does not fit it any more")
        return {**scripts, name: AsyncScript(redis, text.replace(honest, faulty))}

    connection.load_scripts = loaded


if __name__ == "__main__":
    fault, command = sys.argv[1:]
    FAULTS[fault][0]()
    main([command])
