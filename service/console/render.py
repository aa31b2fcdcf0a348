"""Templates to answers: what every page knows, and the headers that every answer carries."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Response

from service.console import charts, words
from service.console.session import Who
from service.insight.spoken import hindered, is_warning, lasted, one_call, rate, retried, span

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
PRIVATE = HEADERS | {"cache-control": "no-store"}

_pages = Environment(
    loader=PackageLoader("service.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters |= {
    "when": words.when,
    "span": span,
    "value": words.value,
    "tidy": words.tidy,
    "rate": rate,
    "coded": words.coded,
}
_pages.tests["warning"] = is_warning
_pages.globals |= {
    "bars": charts.bars,
    "line": charts.line,
    "question": words.question,
    "combines": words.combines,
    "lasted": lasted,
    "hindered": hindered,
    "retried": retried,
    "one_call": one_call,
    "event_time": words.event_time,
    "STATES": words.STATES,
    "REFUSALS": words.REFUSALS,
}


def fragment(name: str, **shown: Any) -> str:
    """Render a part of a page."""
    return _pages.get_template(name).render(**shown)


def page(name: str, who: Who | None, *, base: str, status: int = 200, **shown: Any) -> Response[str]:
    """Render a page for someone; nobody in between may keep it. `base`: the path that the console stands under."""
    body = fragment(name, who=who, base=base, **shown)
    return Response(body, status_code=status, media_type=MediaType.HTML, headers=PRIVATE)
