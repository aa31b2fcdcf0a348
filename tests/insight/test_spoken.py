"""Numbers as people say them."""

import pytest

from service.insight.spoken import rate


@pytest.mark.parametrize(
    ("per_second", "said"), [(0.25, "0.25"), (10.0, "10"), (12.345, "12.3"), (99.99, "100"), (100_000.0, "100,000")]
)
def test_a_rate_is_never_written_with_an_exponent(per_second: float, said: str) -> None:
    assert rate(per_second) == said
