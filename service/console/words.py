"""How the pages say things: times, values, conditions."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from markupsafe import Markup
from msgspec import UNSET

from service.engine.explain import GroupVerdict, LeafVerdict

_LONGEST = 400

STATES = {
    "done": "done",
    "waiting": "waiting",
    "retrying": "will be tried again",
    "skipped": "skipped",
    "superseded": "superseded by a newer fact",
    "dead": "dead letter",
    "dropped": "dropped by a person",
    "shadow": "only recorded (shadow)",
    "failed": "could not be planned",
    "pending": "under way",
    "none": "no rule matched",
}
"""State -> what it means, for people."""

REFUSALS = {
    "missing_signature": "there was no signature",
    "mismatch": "the signature does not fit: check the client secret, and that SLUICE_PUBLIC_URL is what HubSpot calls",
    "v1_disabled": "there was only a v1 signature, which can be replayed",
    "missing_timestamp": "there was no timestamp",
    "malformed_timestamp": "the timestamp is no number",
    "stale_timestamp": "the timestamp lies more than five minutes back: late, replayed, or this machine's clock is wrong",
    "future_timestamp": "the timestamp lies more than five minutes ahead: is this machine's clock right?",
    "wrong_secret": "the secret is not that of SLUICE_HUBSPOT_WORKFLOW_SECRET",
    "missing_password": "there was no password: the webhook was set up without HTTP authentication",
    "wrong_password": "user or password are not those of SLUICE_PIPEDRIVE_USER and SLUICE_PIPEDRIVE_PASSWORD",
    "malformed_authorization": "the header Authorization is not that of HTTP Basic authentication",
    "body_too_large": "the body was larger than SLUICE_MAX_BODY",
    "body_too_slow": "the body took longer than ten seconds to arrive",
    "body_truncated": "the body was not as long as its Content-Length says",
    "upgrade_offered": "the sender offered another protocol (`Upgrade`), which takes the body away: it has to stop that",
    "too_many_bodies": "too many large bodies arrived at once; the source was told to send it again",
    "store_unavailable": "Redis could not store it; the source was told to send it again",
}
"""Why a delivery was turned away -> what that means, for people."""

_SAID = {"eq": "is", "ne": "is not", "in": "is one of", "not_in": "is none of", "gt": ">", "gte": "≥", "lt": "<"}
_SAID |= {"lte": "≤", "exists": "is there", "changed": "changed", "matches": "matches", "between": "is between"}


def when(at: int) -> Markup:
    """An instant (ms) as an element that a reader sees to the second, in UTC, and a machine to the millisecond."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    full = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}">{}</time>').format(full, moment.strftime("%d %b %H:%M:%S"))


def value(shown: Any) -> str:
    """A value as text, at most 400 characters of it."""
    if shown is UNSET:
        return "not there"
    text = shown if isinstance(shown, str) else msgspec.json.encode(shown, enc_hook=str).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def tidy(shown: Any) -> str:
    """Plain data as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(shown, enc_hook=str), indent=2).decode()


def coded(text: str) -> Markup:
    """A text in which `…` stands for code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(text.split("`"))
    )


def question(leaf: LeafVerdict) -> str:
    """What a condition asks."""
    if leaf.operator in ("exists", "changed"):
        return f"{leaf.path} {'' if leaf.expected else 'not '}{_SAID[leaf.operator]}"
    return f"{leaf.path} {_SAID.get(leaf.operator, leaf.operator.replace('_', ' '))} {value(leaf.expected)}"


def combines(group: GroupVerdict) -> str:
    """How a group of conditions is put together."""
    return {"all": "all of", "any": "one of", "not": "not"}[group.combines]


def event_time(event_id: str) -> int:
    """When an event was accepted (ms), from its id."""
    return int(event_id.partition("-")[0] or 0)
