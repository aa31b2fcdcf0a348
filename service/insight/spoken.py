"""How things are said, to whoever is told of them."""


def rate(per_second: float) -> str:
    """So many a second, to three digits below a hundred: `0.25`, `12.5`, `100,000`."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def is_warning(problem: str) -> bool:
    """Whether a problem with the rules, in words, is one that keeps nothing from being used."""
    return ": warning R" in problem.partition("\n")[0]
