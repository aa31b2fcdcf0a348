"""Whatever a server says about its pages: reading ends, and every execution comes once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Permanent
from service.sakari.models import Execution
from service.sakari.paging import pages
from service.sandbox.sample import DEMO_CAMPAIGN
from service.sandbox.state import Campaign, Shape
from tests.sakari.rig import Rig

ROWS: list[dict[str, Any]] = [{"id": f"e{n}", "status": "active"} for n in range(53)]


async def read(found: AsyncIterator[list[Execution]]) -> list[Any]:
    return [execution.id async for page in found for execution in page]


@pytest.mark.parametrize(
    ("shape", "calls"),
    [("list", 6), ("list_without_pagination", 7), ("hasnext_lies", 7), ("totalcount", 7)],
)
async def test_list_shapes_are_read_to_the_end(rig: Rig, shape: Shape, calls: int) -> None:
    rig.campaign(Campaign(ROWS, shape, page_size=10))
    assert await read(rig.sakari.executions("c1")) == [row["id"] for row in ROWS]
    assert rig.calls("/executions") == {"200": calls}


@pytest.mark.parametrize(
    ("shape", "found", "calls"),
    [("object", ["e0"], 1), ("null", [], 1), ("offset_ignored", [f"e{n}" for n in range(10)], 2)],
)
async def test_other_shapes_end(rig: Rig, shape: Shape, found: list[str], calls: int) -> None:
    rig.campaign(Campaign(ROWS, shape, page_size=10))
    assert await read(rig.sakari.executions("c1")) == found
    assert rig.calls("/executions") == {"200": calls}


async def test_empty_campaign(rig: Rig) -> None:
    for shape in ("list", "object", "list_without_pagination"):
        rig.campaign(Campaign([], shape))
        assert await read(rig.sakari.executions("c1")) == []


async def test_sample_campaign_has_three_pages(rig: Rig) -> None:
    found = [len(page) async for page in rig.sakari.executions(DEMO_CAMPAIGN, version_id="v1")]
    assert found == [25, 25, 19]


async def test_executions_without_id_are_kept_once_by_content(rig: Rig) -> None:
    rows: list[dict[str, Any]] = [{"status": "a"}, {"status": "b"}, {"status": "a"}, {"id": 7}, {"id": "7"}]
    rig.campaign(Campaign(rows, "offset_ignored", page_size=10))
    found = [each.raw async for page in rig.sakari.executions("c1") for each in page]
    assert found == [{"status": "a"}, {"status": "b"}, {"id": 7}]


async def test_more_pages_than_anyone_can_mean_is_permanent() -> None:
    async def endless(offset: int) -> dict[str, Any]:
        return {"success": True, "data": [{"id": offset}], "pagination": {"hasNext": True}}

    with pytest.raises(Permanent) as caught:
        await read(pages(endless, most=5))
    assert caught.value.reason == "too_many_pages"


IDS = st.one_of(st.integers(0, 8), st.sampled_from("abcdefgh"), st.none())
ROW = st.one_of(
    st.fixed_dictionaries({"id": IDS, "status": st.sampled_from(["active", "done", 3])}), st.none(), st.integers(0, 3)
)
PAGINATION = st.one_of(
    st.none(),
    st.integers(),
    st.fixed_dictionaries({"hasNext": st.sampled_from([True, False, "yes", None]), "limit": st.integers(0, 3)}),
)
ANSWER = st.fixed_dictionaries(
    {
        "success": st.just(True),
        "data": st.one_of(st.lists(ROW, max_size=5), st.none(), ROW.filter(lambda r: isinstance(r, dict))),
    },
    optional={"pagination": PAGINATION},
)


def identity(row: dict[str, Any]) -> Any:
    return str(row["id"]) if row["id"] is not None else (None, row["status"])


@given(st.lists(ANSWER, min_size=1, max_size=8))
async def test_any_sequence_of_pages_ends_and_gives_every_execution_once(answers: list[dict[str, Any]]) -> None:
    """A server that answers these in turn, and the last one for ever."""
    given_out: list[Any] = []

    async def fetch(_: int) -> dict[str, Any]:
        answer = answers[min(len(given_out), len(answers) - 1)]
        given_out.append(answer)
        return answer

    raws = [execution.raw async for page in pages(fetch, most=100) for execution in page]
    rows = [row for answer in given_out for row in _listed(answer["data"]) if isinstance(row, dict)]
    assert len(given_out) <= len(answers) + 1
    assert [identity(raw) for raw in raws] == list(dict.fromkeys(identity(row) for row in rows))


def _listed(data: Any) -> list[Any]:
    return data if isinstance(data, list) else [data]


@given(rows=st.lists(st.integers(0, 1000), unique=True, max_size=60), size=st.integers(1, 25), told=st.booleans())
async def test_an_honest_server_is_read_completely(rows: list[int], size: int, *, told: bool) -> None:
    async def fetch(offset: int) -> dict[str, Any]:
        data = [{"id": row} for row in rows[offset : offset + size]]
        return {"data": data, "pagination": {"hasNext": offset + size < len(rows)} if told else None}

    assert await read(pages(fetch, most=100)) == rows
