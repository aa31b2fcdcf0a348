"""What the sandbox holds at the start: one drip campaign with three pages of executions.

The first contacts are those of the sample deliveries; the numbers are of the range reserved for fiction.
"""

from typing import Any

from service.sandbox.state import Campaign

DEMO_CAMPAIGN = "6604b1d2f1a3"
_OTHERS = 64


def demo_state() -> dict[str, Campaign]:
    known = [
        sample_execution(0, "completed", hubspot={"id": 267448860001}),
        sample_execution(1, "active", hubspot={"id": 541935480001}),
        sample_execution(2, "active", pipedrive={"id": 8}),
        sample_execution(3, "completed", hubspot={"id": 310000000451}),
        sample_execution(4, "active", pipedrive={"id": 21}),
    ]
    others = [
        sample_execution(n, "completed" if n % 3 else "active", hubspot={"id": 900_000_000_000 + n})
        for n in range(len(known), len(known) + _OTHERS)
    ]
    return {DEMO_CAMPAIGN: Campaign(executions=[*others[: _OTHERS // 2], *known, *others[_OTHERS // 2 :]])}


def sample_execution(number: int, status: str, **crm: dict[str, int]) -> dict[str, Any]:
    at = f"2026-{number // 28 % 12 + 1:02}-{number % 28 + 1:02}T09:30:00Z"
    made = {"at": at, "by": {"id": "65f0c0de0000000000000001", "name": "Sandbox", "source": "integration"}}
    return {
        "id": f"66ee{number:020x}",
        "status": status,
        "entered": at,
        "contact": {
            "id": f"66cc{number:020x}",
            "email": f"contact{number}@example.com",
            "firstName": "Sample",
            "lastName": f"Contact {number}",
            "mobile": {"country": "US", "number": f"+1202555{100 + number:04}", "valid": True, "lineType": "mobile"},
            "lists": [{"id": "66aa0000000000000000000a", "name": "Nurture"}],
            "attributes": {},
            "optIn": at,
            "valid": True,
            **crm,
            "created": made,
            "updated": made,
        },
    }
