"""Small charts of the last hour as inline SVG: no script, no inline style (the pages' policy allows neither)."""

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT = 240, 44


def bars(values: Sequence[int], label: str, kind: str = "") -> Markup:
    """Draw a bar for each minute. `label` says in words what it shows; `kind` is a CSS class: `bad`, `soft`."""
    top = max([*values, 1])
    step = _WIDTH / max(1, len(values))
    drawn = [
        f'<rect x="{n * step:.1f}" y="{_HEIGHT - _high(value, top):.1f}" width="{max(1.0, step - 1):.1f}"'
        f' height="{_high(value, top):.1f}"/>'
        for n, value in enumerate(values)
        if value
    ]
    return _svg("".join(drawn), label, f"bars {kind}")


def line(values: Sequence[int | None], label: str) -> Markup:
    """Draw a line through what is known; a minute without a value interrupts it."""
    top = max([value for value in values if value is not None] or [1]) or 1
    step = _WIDTH / max(1, len(values) - 1)
    drawn, run = [], list[tuple[float, float]]()
    for n, value in enumerate([*values, None]):
        if value is not None:
            run.append((n * step, _HEIGHT - _high(value, top)))
        elif run:
            drawn.append(_stroke(run))
            run = []
    return _svg("".join(drawn), label, "line")


def _stroke(run: Sequence[tuple[float, float]]) -> str:
    if len(run) == 1:
        return f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2"/>'
    return '<polyline points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in run) + '"/>'


def _high(value: int, top: int) -> float:
    return max(2.0, value / top * (_HEIGHT - 4)) if value else 0.0


def _svg(inside: str, label: str, kind: str) -> Markup:
    head = '<svg class="chart {}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
    base = f'<path class="base" d="M0 {_HEIGHT - 0.5}H{_WIDTH}"/>'
    return Markup(head).format(kind, _WIDTH, _HEIGHT, label) + Markup(base + inside + "</svg>")  # noqa: S704 - numbers of ours
