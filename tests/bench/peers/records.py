"""What the same job keeps in Redis, and the history that somebody can look at: `python -m tests.bench.peers.records [EVENT]`.

It prints one event, or the newest twenty, and the dead letters as a list with `dead`; it reads `REDIS_URL`. Of each event
there are two keys, both for thirty days: `event:<id>`, what was accepted, which is the claim too; and `job:<id>`, what
became of it.
"""

import json
import os
import sys
from typing import Any

from redis import Redis

KEPT_S = 30 * 24 * 3600
_KEPT = str(KEPT_S)
EVENTS, DEAD = "events", "dead"
"""Sorted sets of ids by time in milliseconds: all that was accepted, and what failed for good."""

BEGIN = """
-- May this job make its call now? If so, it has the contact's lock, and it is written down that a try began.
-- KEYS: job, the contact's lock and newest, this second's calls. ARGV: token, lease (ms), occurred at, calls a second.
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'done' or state == 'stale' or state == 'dead' then return {'ended', 0} end
local now = redis.call('TIME')
local at = now[1] .. string.format('%06d', now[2])
if tonumber(redis.call('GET', KEYS[3]) or 0) > tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'state', 'stale', 'ended', at)
  redis.call('EXPIRE', KEYS[1], KEPT_S)
  return {'stale', 0}
end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'busy', 0} end
local calls = redis.call('INCR', KEYS[4])
if calls == 1 then redis.call('EXPIRE', KEYS[4], 2) end
if calls > tonumber(ARGV[4]) then
  redis.call('DEL', KEYS[2])
  return {'paced', 0}
end
redis.call('HSET', KEYS[1], 'state', 'calling', 'began', at)
return {'go', redis.call('HINCRBY', KEYS[1], 'tries', 1)}
""".replace("KEPT_S", _KEPT)

END = """
-- What became of the call; after one that was done, nothing older may follow. Gives the lock back if it is still this job's.
-- KEYS: job, the contact's lock and newest, dead letters. ARGV: token, id, occurred at, state, status or reason.
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', ARGV[4], 'status', ARGV[5], 'ended', now[1] .. string.format('%06d', now[2]))
redis.call('EXPIRE', KEYS[1], KEPT_S)
if ARGV[4] == 'done' and tonumber(redis.call('GET', KEYS[3]) or 0) < tonumber(ARGV[3]) then
  redis.call('SET', KEYS[3], ARGV[3], 'EX', KEPT_S)
elseif ARGV[4] == 'dead' then
  redis.call('ZADD', KEYS[4], now[1] * 1000, ARGV[2])
end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
""".replace("KEPT_S", _KEPT)


def event_key(event_id: int) -> str:
    return f"event:{event_id}"


def job_keys(event_id: int, contact: int) -> list[str]:
    """The keys of a job: its own, and its contact's lock and newest."""
    return [f"job:{event_id}", f"lock:{contact}", f"newest:{contact}"]


def history(redis: "Redis[str]", event_id: str) -> dict[str, Any]:
    """All that is known of an event. Times of its job are in microseconds."""
    accepted = json.loads(redis.get(f"event:{event_id}") or "null")
    return {"id": event_id, "accepted": accepted, "job": redis.hgetall(f"job:{event_id}")}


def main(*asked: str) -> None:
    """Print what was asked for, a line each."""
    redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    ids = list(asked)
    if not asked or asked == ("dead",):
        ids = redis.zrange(DEAD if asked else EVENTS, 0, -1 if asked else 19, desc=True)
    for event_id in ids:
        print(json.dumps(history(redis, event_id)))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(*sys.argv[1:])
