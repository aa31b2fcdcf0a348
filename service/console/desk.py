"""What the pages need, put together by the entrance."""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from litestar import Request, Response
from msgspec import Struct

from service.console import render
from service.console.session import Tokens, Who
from service.engine import RuleSet
from service.insight.stories import RuleSets
from service.store import Store


class Rules(Protocol):
    """The rules in force in this process."""

    @property
    def rule_set(self) -> RuleSet:
        """Those that decide now."""

    @property
    def problems(self) -> list[str]:
        """What is wrong with the rules folder, for people."""


class Desk(Struct, kw_only=True, frozen=True):
    """What the pages need."""

    store: Store
    rules: Rules
    rule_sets: RuleSets
    tokens: Tokens
    public_url: str
    """Under which browsers reach this process, with any path prefix."""
    now: Callable[[], int]
    """Milliseconds since the epoch."""

    @property
    def base(self) -> str:
        """The path of the console as a browser sees it."""
        return urlsplit(self.public_url).path.rstrip("/") + "/console"

    @property
    def secure(self) -> bool:
        """Whether browsers come over https."""
        return self.public_url.startswith("https:")

    def page(self, name: str, who: Who | None, *, status: int = 200, **shown: Any) -> Response[str]:
        """Render a page."""
        return render.page(name, who, base=self.base, status=status, **shown)


def who(request: Request[Any, Any, Any]) -> Who:
    """Who asks: the guard has seen to it that somebody is signed in."""
    signed_in: Who = request.scope["state"]["who"]
    return signed_in
