"""Docs pages, editor completion and lint are made from the actions: everything they need is there."""

import msgspec
import pytest
import yaml

from service.actions import ACTIONS
from service.actions.action import Action

EACH = pytest.mark.parametrize("action", ACTIONS.values(), ids=list(ACTIONS))


def test_one_file_each_makes_the_catalogue() -> None:
    assert list(ACTIONS) == ["fetch_executions", "update_attributes", "upsert_contact"]


@EACH
def test_every_argument_is_described_and_no_other_is_allowed(action: Action) -> None:
    _, definitions = msgspec.json.schema_components([action.args])
    for name, schema in definitions.items():
        assert schema["description"], name
        assert schema["additionalProperties"] is False, name
        for field, described in schema["properties"].items():
            assert "description" in described, f"{name}.{field}"


@EACH
def test_example_is_a_step_that_its_args_accept(action: Action) -> None:
    step = yaml.safe_load(action.example)
    assert step["do"] == action.name
    msgspec.convert(step["with"], action.args)


@EACH
def test_writes_name_their_target_and_reads_have_none(action: Action) -> None:
    writes = action.name != "fetch_executions"
    assert (action.target is not None, action.only is not None) == (writes, writes)
    assert action.sets_values
