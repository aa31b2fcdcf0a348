from typing import Any

import pytest
from rich.pretty import pretty_repr

from service.model import Misfit
from service.sources import SOURCES
from service.sources.hubspot import Config as HubSpot
from service.sources.pipedrive import Config as Pipedrive
from tests.sources.deliveries import PUBLIC_URL, delivery


def paths(source: str, config: Any) -> list[str]:
    return [route.path for route in SOURCES[source].routes(config, PUBLIC_URL)]


def test_sources_are_found_by_their_files() -> None:
    assert list(SOURCES) == ["hubspot", "pipedrive"]
    assert all(source.Config() == source.Config() for source in SOURCES.values())


def test_source_without_a_secret_has_no_path() -> None:
    assert [paths(name, source.Config()) for name, source in SOURCES.items()] == [[], []]
    assert paths("hubspot", HubSpot(allow_v1=True)) == []
    assert paths("pipedrive", Pipedrive(user="sluice")) == []


def test_each_secret_opens_its_paths() -> None:
    assert paths("hubspot", HubSpot(client_secret=("s",))) == ["/webhooks/hubspot", "/webhooks/hubspot/workflow"]
    assert paths("hubspot", HubSpot(workflow_secret=("s",))) == ["/webhooks/hubspot/workflow"]
    assert paths("pipedrive", Pipedrive(password=("s",))) == ["/webhooks/pipedrive"]


def test_only_the_source_that_does_not_retry_for_long_spills() -> None:
    hubspot = SOURCES["hubspot"].routes(HubSpot(client_secret=("s",)), PUBLIC_URL)
    pipedrive = SOURCES["pipedrive"].routes(Pipedrive(password=("s",)), PUBLIC_URL)
    assert {route.source: route.spills for route in (*hubspot, *pipedrive)} == {"hubspot": False, "pipedrive": True}


@pytest.mark.parametrize(
    "thing",
    [
        HubSpot(client_secret=("hush", "hush2"), workflow_secret=("hush3",)),
        Pipedrive(user="sluice", password=("hush",)),
        delivery("/webhooks/hubspot?secret=hush", b"hush", {"authorization": "hush"}),
        Misfit("[0].objectId: missing", b"hush"),
    ],
    ids=["hubspot", "pipedrive", "delivery", "misfit"],
)
@pytest.mark.parametrize("show", [repr, str, pretty_repr])
def test_repr_tells_no_secret(thing: Any, show: Any) -> None:
    assert "hush" not in show(thing)
    assert type(thing).__name__ in show(thing)


def test_repr_tells_how_many_secrets_there_are() -> None:
    assert repr(HubSpot(client_secret=("a", "b"))) == (
        "Config(client_secret=<2 set>, workflow_secret=<0 set>, allow_v1=False)"
    )
