"""What the same job needs in both peers: accept once and keep it, ask before a call, write down what became of it, log.

The form is the usual one of a careful team. An event is queued and written down, known or not, before it is answered; so a
crash in between loses nothing: no 2xx was sent, and HubSpot sends it again. A job may therefore be there twice, or run twice
after a crash, and asks before its call whether it has ended. Its Redis has `appendfsync always`, as Sluice's has: what it
has answered is on disk.
"""

import json
import logging
import os
import random
import sys
import time
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.bench.peers.intake import Event
from tests.bench.peers.records import DEAD, EVENTS, KEPT_S, event_key, job_keys

RULE = "mark"
CALLS_A_SECOND = int(os.environ.get("CALLS_A_SECOND", "100000"))
TRIES = 10
_LEASE_MS = 60_000
"""How long a contact's lock is held by a worker that died: longer than any call takes."""
_WORTH_ANOTHER_TRY = {401, 408, 425, 429}

_log = logging.getLogger("peer")
_log.addHandler(logging.StreamHandler(sys.stderr))
_log.setLevel(logging.INFO)
_log.propagate = False


class Job(NamedTuple):
    """What is queued."""

    event_id: int
    contact: int
    occurred_at: int
    stage: str


def jobs(events: Sequence[Event]) -> list[Job]:
    """A job for each event that the rule matches, whether or not it was seen before."""
    return [
        Job(event.event_id, event.object_id, event.occurred_at, event.property_value or "")
        for event in events
        if event.matches
    ]


def keep(pipe: Any, events: Sequence[Event]) -> None:
    """Write the events down: the last commands of a pipeline, one an event and two more.

    The answer to an event's is None for one that is known.
    """
    now = int(time.time() * 1000)
    for event in events:
        rule = f'"{RULE}"' if event.matches else "null"
        kept = f'{{"at":{now},"rule":{rule},"payload":{event.model_dump_json(by_alias=True)}}}'
        pipe.set(event_key(event.event_id), kept, nx=True, ex=KEPT_S)
    pipe.zadd(EVENTS, {str(event.event_id): now for event in events}, nx=True)
    pipe.zremrangebyscore(EVENTS, 0, now - KEPT_S * 1000)


def accepted(events: Sequence[Event], answers: Sequence[Any], started: float) -> dict[str, int]:
    """The answer to HubSpot, and the log line of a delivery; `answers` end with those to `keep`."""
    new = sum(map(bool, answers[-2 - len(events) : -2]))
    told = {"accepted": new, "duplicates": len(events) - new}
    _line("delivery", **told, ms=_ms_since(started))
    return told


def asking(job: Job) -> tuple[str, dict[str, Any]]:
    """A new token, and what the script BEGIN is called with."""
    token = uuid.uuid4().hex
    keys = [*job_keys(job.event_id, job.contact), f"calls:{int(time.time())}"]
    return token, {"keys": keys, "args": [token, _LEASE_MS, job.occurred_at, CALLS_A_SECOND]}


def verdict(status: int, tries: int) -> str:
    """The state after a call; `status` is 0 where no answer came."""
    if 200 <= status < 300:
        return "done"
    lasting = 0 < status < 500 and status not in _WORTH_ANOTHER_TRY
    return "dead" if lasting or tries >= TRIES else "failed"


def ending(job: Job, token: str, state: str, reason: str) -> dict[str, Any]:
    """What the script END is called with."""
    keys = [*job_keys(job.event_id, job.contact), DEAD]
    return {"keys": keys, "args": [token, job.event_id, job.occurred_at, state, reason]}


def again_in(tries: int) -> float:
    """Seconds until the next try: soon for a job that only has to wait (0 tries), ever later for one that failed."""
    return random.uniform(0.5, 1) * min(2**tries, 300) if tries else random.uniform(0.1, 0.5)


def told(job: Job, state: str, tries: int, reason: str, started: float) -> None:
    """The log line of a job."""
    _line("job", id=job.event_id, rule=RULE, state=state, tries=tries, status=reason, ms=_ms_since(started))


def _line(event: str, **fields: object) -> None:
    _log.info(json.dumps({"at": time.time(), "level": "info", "event": event, **fields}))


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
