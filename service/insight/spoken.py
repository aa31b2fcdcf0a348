"""Numbers as people say them."""


def rate(per_second: float) -> str:
    """So many a second, to three digits below a hundred: `0.25`, `12.5`, `100,000`."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"
