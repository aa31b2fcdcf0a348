"""Every dead letter says what a person does about it."""

from typing import Literal

import pytest

from service.insight.advice import advice
from service.store.records import DeadLetter


@pytest.mark.parametrize(
    ("kind", "reason", "said"),
    [
        ("delivery", "malformed", "cannot be retried"),
        ("rule", "missing_value", "`sluice events replay 1-0` runs the event"),
        ("run", "missing_value", "or mend the rule, and `sluice events replay 1-0`"),
        ("run", "uncertain_timeout", "Look in Sakari whether it was done"),
        ("run", "ruleset_unknown", "decides anew"),
        ("run", "expired", "another day"),
        ("run", "unavailable", "once `sluice accounts` says"),
        ("run", "sakari_CONT-001", "Sakari refused it"),
    ],
)
def test_advice_fits_kind_and_reason(kind: Literal["run", "rule", "delivery"], reason: str, said: str) -> None:
    letter = DeadLetter(id="x", kind=kind, reason=reason, message="", source="hubspot", at=1, event_id="1-0")
    assert said in advice(letter)
