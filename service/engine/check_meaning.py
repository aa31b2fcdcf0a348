"""What a rule means, once it can be read: whether it can ever do what its author wants. All of it is warnings."""

from collections.abc import Mapping

from service.engine.check_absence import check_absence
from service.engine.check_names import check_names
from service.engine.check_never import World, check_never
from service.engine.check_reach import check_reach, fitting
from service.engine.condition import Condition
from service.engine.paths import event_sources
from service.engine.problem import Report
from service.engine.rule import Step
from service.engine.yaml_nodes import Node, Position


def check_meaning(
    events: Mapping[str, Position], when: Condition, steps: tuple[Step, ...], nodes: Mapping[str, Node], report: Report
) -> None:
    """Warn of what can be read and makes no sense. `nodes`: the fields of the rule."""
    sending = {source for event in events for source in event_sources(event)}
    sources = tuple(source for source in fitting(when) if source in sending)
    check_names(sources, when, steps, nodes, report)
    # A rule that never fires needs no second reason.
    if not check_never(World(tuple(events), sources), when, steps, nodes, report) and check_reach(
        events, when, steps, nodes, report
    ):
        check_absence(sources, when, steps, nodes, report)
