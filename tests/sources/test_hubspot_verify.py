import base64
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import Unverified
from service.sources import hubspot
from service.sources.delivery import Delivery
from service.sources.hubspot_signature import decode_uri, sign_v2
from tests.sources.deliveries import EVENTS, NOW, PUBLIC_URL, ROUTES, WORKFLOW, delivery

VECTORS = json.loads((Path(__file__).parent / "signature_vectors.json").read_text("utf-8"))
SIGN = ROUTES[EVENTS].sign


def refusal(path: str, request: Delivery, config: hubspot.Config | None = None) -> str:
    """The reason, or the scheme where nothing is refused."""
    routes = ROUTES if config is None else {route.path: route for route in hubspot.routes(config, PUBLIC_URL)}
    try:
        return routes[path].verify(request).scheme
    except Unverified as error:
        return error.reason


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["id"] for vector in VECTORS])
def test_signature_vectors_get_their_verdict(vector: dict[str, Any]) -> None:
    scheme_and_host, slash, path = vector["url"].partition("//")[2].partition("/")
    base = vector["url"].partition("//")[0] + "//" + scheme_and_host
    request = Delivery(
        method=vector["method"],
        target=slash + path,
        headers={name.lower(): value for name, value in vector["headers"].items()},
        body=vector["body"].encode(),
        received_at=vector["now_ms"],
    )
    (route, _) = hubspot.routes(hubspot.Config(client_secret=(vector["secret"],), allow_v1=True), base)
    try:
        verdict: tuple[str | None, str | None] = (route.verify(request).scheme, None)
    except Unverified as error:
        verdict = (None, error.reason)
    assert verdict == ((None, vector["refused"]) if vector["refused"] else (vector["scheme"], None))


def signed(target: str = EVENTS, *, at: int = NOW, more: dict[str, str] | None = None) -> Delivery:
    return delivery(target, b"[]", SIGN("POST", target, b"[]", at) | (more or {}))


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (0, "v3"),
        (300_000, "v3"),
        (300_001, "stale_timestamp"),
        (-300_000, "v3"),
        (-300_001, "future_timestamp"),
    ],
)
def test_signature_counts_for_five_minutes_in_both_directions(age: int, verdict: str) -> None:
    assert refusal(EVENTS, signed(at=NOW - age)) == verdict


@pytest.mark.parametrize(
    "timestamp", ["", "NaN", "1795350000", "1795350000000 ", "1795350000000\n", "+795350000000", "١٧٩٥٣٥٠٠٠٠٠٠٠"]
)
def test_timestamp_must_be_thirteen_digits(timestamp: str) -> None:
    request = signed(more={"x-hubspot-request-timestamp": timestamp})
    assert refusal(EVENTS, request) == "malformed_timestamp"


def test_v3_counts_whatever_the_version_header_says() -> None:
    request = signed(more={"x-hubspot-signature-version": "v1", "x-hubspot-signature": "0" * 64})
    assert refusal(EVENTS, request) == "v3"


def test_broken_v3_is_not_saved_by_a_good_v2() -> None:
    good = ROUTES[WORKFLOW].sign("POST", EVENTS, b"[]", NOW)
    request = signed(more={**good, "x-hubspot-signature-v3": "AAAA"})
    assert refusal(EVENTS, request) == "mismatch"


def test_unsigned_request_is_refused() -> None:
    assert refusal(EVENTS, delivery(EVENTS)) == "missing_signature"


def test_v1_is_refused_unless_allowed() -> None:
    request = delivery(EVENTS, b"[]", {"x-hubspot-signature": "0" * 64, "x-hubspot-signature-version": "v1"})
    assert refusal(EVENTS, request) == "v1_disabled"
    assert refusal(EVENTS, request, hubspot.Config(client_secret=("s",), allow_v1=True)) == "mismatch"


def test_v2_is_accepted_for_subscriptions_too() -> None:
    request = delivery(EVENTS, b"[]", ROUTES[WORKFLOW].sign("POST", EVENTS, b"[]", NOW))
    assert refusal(EVENTS, request) == "v2"


@pytest.mark.parametrize("name", ["x-hubspot-signature-v3", "x-hubspot-signature"])
def test_header_outside_ascii_is_a_mismatch(name: str) -> None:
    version = {"x-hubspot-signature-version": "v2", "x-hubspot-request-timestamp": str(NOW)}
    assert refusal(EVENTS, delivery(EVENTS, b"[]", {**version, name: "sïgnature €"})) == "mismatch"


def test_every_configured_secret_is_valid() -> None:
    rotating = hubspot.Config(client_secret=("new", "example-client-secret"))
    assert refusal(EVENTS, signed(), rotating) == "v3"
    assert refusal(EVENTS, signed(), hubspot.Config(client_secret=("new",))) == "mismatch"


def test_only_the_public_url_counts() -> None:
    behind_prefix = hubspot.routes(hubspot.Config(client_secret=("s",)), "https://hooks.example.com/sluice/")[0]
    proof = behind_prefix.sign("POST", EVENTS, b"[]", NOW)
    assert behind_prefix.verify(delivery(EVENTS, b"[]", proof)).scheme == "v3"
    without = hubspot.routes(hubspot.Config(client_secret=("s",)), "https://hooks.example.com")[0]
    with pytest.raises(Unverified, match="mismatch"):
        without.verify(delivery(EVENTS, b"[]", proof))


def test_url_is_decoded_once_and_only_where_the_documentation_says() -> None:
    assert decode_uri(b"%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B") == b":/?@!$'()*,;"
    assert decode_uri(b"%3a%2f%253A") == b":/%253A"
    assert decode_uri(b"%20%26%3D%25%2B%23%C3%A9") == b"%20%26%3D%25%2B%23%C3%A9"


def test_url_signed_without_decoding_is_accepted_as_well() -> None:
    target, timestamp = f"{EVENTS}?to=a%40example.com", str(NOW)
    message = b"POST" + (PUBLIC_URL + target).encode() + b"[]" + timestamp.encode()
    raw = base64.b64encode(hmac.digest(b"example-client-secret", message, "sha256")).decode()
    assert raw != SIGN("POST", target, b"[]", NOW)["x-hubspot-signature-v3"]
    proof = {"x-hubspot-signature-v3": raw, "x-hubspot-request-timestamp": timestamp}
    assert refusal(EVENTS, delivery(target, b"[]", proof)) == "v3"


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (WORKFLOW, {"x-sluice-secret": "example-workflow-secret"}),
        (WORKFLOW, {"authorization": "Bearer example-workflow-secret"}),
        (WORKFLOW, {"authorization": "bearer  example-workflow-secret"}),
        (f"{WORKFLOW}?flow=1&secret=example-workflow-secret", {}),
        (f"{WORKFLOW}?secret=example%2Dworkflow-secret", {}),
        (f"{WORKFLOW}?secret=example-workflow-secret", {"authorization": "Bearer someone-elses"}),
    ],
)
def test_workflow_may_prove_itself_with_the_static_secret(target: str, headers: dict[str, str]) -> None:
    assert refusal(WORKFLOW, delivery(target, b"{}", headers)) == "secret"


def test_plus_in_a_secret_survives_the_query() -> None:
    config = hubspot.Config(workflow_secret=("a+b/c=",))
    assert refusal(WORKFLOW, delivery(f"{WORKFLOW}?secret=a+b/c="), config) == "secret"
    assert refusal(WORKFLOW, delivery(f"{WORKFLOW}?secret=a%2Bb%2Fc%3D"), config) == "secret"


def test_wrong_static_secret_is_refused() -> None:
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{}", {"x-sluice-secret": "guess"})) == "wrong_secret"
    assert refusal(WORKFLOW, delivery(f"{WORKFLOW}?secret=")) == "wrong_secret"
    assert refusal(WORKFLOW, delivery(WORKFLOW)) == "missing_signature"


def test_static_secret_counts_on_the_workflow_route_only() -> None:
    assert (
        refusal(EVENTS, delivery(EVENTS, b"[]", {"x-sluice-secret": "example-workflow-secret"})) == "missing_signature"
    )


def test_workflow_signature_goes_before_the_static_secret() -> None:
    proof = ROUTES[WORKFLOW].sign("POST", WORKFLOW, b"{}", NOW)
    wrong, right = {"x-sluice-secret": "guess"}, {"x-sluice-secret": "example-workflow-secret"}
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{}", proof | wrong)) == "v2"
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{ }", proof | right)) == "mismatch"


def test_v3_is_accepted_for_workflows_and_v1_never() -> None:
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{}", SIGN("POST", WORKFLOW, b"{}", NOW))) == "v3"
    lenient = hubspot.Config(client_secret=("s",), allow_v1=True)
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{}", {"x-hubspot-signature": "0"}), lenient) == "v1_disabled"


def test_signature_that_cannot_be_checked_leaves_it_to_the_static_secret() -> None:
    config = hubspot.Config(workflow_secret=("only",))
    other_app = sign_v2("unknown", "POST", b"https://hooks.example.com", b"{}")
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{}", other_app | {"x-sluice-secret": "only"}), config) == "secret"
    assert refusal(WORKFLOW, delivery(WORKFLOW, b"{}", other_app), config) == "mismatch"


def test_static_secret_outside_ascii_is_compared_as_utf_8() -> None:
    (route,) = hubspot.routes(hubspot.Config(workflow_secret=("schlüssel",)), PUBLIC_URL)
    proof = route.sign("POST", WORKFLOW, b"{}", NOW)
    assert route.verify(delivery(WORKFLOW, b"{}", proof)).scheme == "secret"
