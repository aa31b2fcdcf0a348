"""The sandbox's application: Sakari's endpoints as far as the documents describe them, and the control beside them."""

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from service.sandbox import control, reads, tokens, writes
from service.sandbox.envelope import Refused, refuse, refuse_route
from service.sandbox.faults import misbehaving
from service.sandbox.state import Sandbox

HANDLERS = (
    tokens.issue_token,
    reads.fetch_campaigns,
    reads.fetch_contacts,
    reads.fetch_executions,
    reads.fetch_attributes,
    reads.fetch_attributes_of_type,
    reads.fetch_account,
    reads.fetch_balance,
    writes.write_attributes,
    writes.create_contact,
    control.show_state,
    control.reset_state,
    control.put_campaign,
    control.put_misbehaviour,
    control.revoke_tokens,
)


def build(sandbox: Sandbox) -> ASGIApp:
    app = Litestar(
        route_handlers=HANDLERS,
        dependencies={"sandbox": Provide(lambda: sandbox, sync_to_thread=False)},
        exception_handlers={Refused: refuse, HTTPException: refuse_route},
        openapi_config=None,
        logging_config=None,
    )
    return misbehaving(app, sandbox)
