"""From settings to what the store wants to know."""

import pytest

from service import settings
from service.errors import SettingsError
from service.settings import StoreSettings
from service.store.options import options

URL = {"SLUICE_REDIS_URL": "redis://localhost"}


def test_a_lease_and_the_hold_of_a_record_last_as_long_as_the_setting_says() -> None:
    found = settings.read({StoreSettings: "SLUICE_"}, {**URL, "SLUICE_LEASE_S": "4"})
    made = options(found.of(StoreSettings))
    assert (made.lease_ms, made.hold_ms) == (4_000, 4_000)


def test_a_lease_too_short_to_be_renewed_in_time_is_refused() -> None:
    with pytest.raises(SettingsError, match="SLUICE_LEASE_S"):
        settings.read({StoreSettings: "SLUICE_"}, {**URL, "SLUICE_LEASE_S": "1"})
