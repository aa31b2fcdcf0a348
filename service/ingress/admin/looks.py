"""How the installation, its rules and its Sakari accounts are doing."""

from collections.abc import Callable

from litestar import get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from service.ingress.admin.parameters import RESPONSES
from service.ingress.rulebook import RuleBook
from service.insight.installation import Installation, installation
from service.insight.rule_states import RuleState, rule_states
from service.store import Store, pace
from service.store.pace import AccountState


class InForce(Struct, frozen=True, kw_only=True):
    """The rules that decide now in this process."""

    version: str
    problems: list[str]
    rules: list[RuleState]


def looks(store: Store, book: RuleBook, now: Callable[[], int]) -> list[HTTPRouteHandler]:
    """Make the handlers."""

    @get("/overview", responses=RESPONSES)
    async def show_overview() -> Installation:
        """Show how everything is doing: what waits, and the last hour minute by minute."""
        return await installation(store, now=now())

    @get("/rules", responses=RESPONSES)
    async def list_rules() -> InForce:
        """List the rules in force with their counts of the last hour."""
        rule_set = book.rule_set
        states = await rule_states(store, rule_set, now=now())
        return InForce(version=rule_set.version, problems=book.problems, rules=states)

    @get("/accounts", responses=RESPONSES)
    async def list_accounts() -> list[AccountState]:
        """List the Sakari accounts that are in use: pace, circuit, queue."""
        return await pace.states(store)

    return [show_overview, list_rules, list_accounts]
