"""Arguments of the kinds that the stand-in actions do not have."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.engine import load
from tests.engine.examples import Action, rule


class Text(Struct, tag="text", tag_field="kind"):
    body: str


class Picture(Struct, tag="picture", tag_field="kind"):
    url: str
    alt: str = ""


class Pair(Struct):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low first")


class Special(Struct):
    message: Text | Picture | UnsetType = UNSET
    numbers: dict[Annotated[str, Meta(min_length=2)], Annotated[float, Meta(gt=0, multiple_of=0.5)]] = {}
    pair: Pair | UnsetType = UNSET
    several: str | list[str] = ""
    grade: Literal["a", "b"] = "a"
    either: int | Literal["a"] = "a"
    money: Decimal = Decimal(0)
    left: Annotated[list[Any], Meta(min_length=1)] | UnsetType = UNSET
    described: Annotated[str | UnsetType, Meta(description="Text.")] = UNSET
    when: Annotated[Annotated[datetime, Meta(tz=True)] | UnsetType, Meta(description="An instant.")] = UNSET
    record: Annotated[int | str, Meta(description="An id.")] = 0
    only: dict[str, Annotated[int, Meta(lt=5)]] = {}


def lint(arguments: str) -> list[str]:
    text = rule(event="contact.enrolled", then=f"[{{ do: special, with: {{ {arguments} }} }}]")
    problems = load({"r.yaml": text.encode()}, {"special": Action(Special)}).problems
    return [f"{problem.code} {problem.message}" for problem in problems]


def test_what_fits() -> None:
    assert lint("message: { kind: picture, url: u }, numbers: { ab: 1.5 }, money: '1.10', only: { a: 4 }") == []
    assert lint("several: [a, b]") == lint("several: a") == lint("several: 'x ${contact.a}'") == []
    assert lint("numbers: '${contact.a}', message: '${contact.b}', money: '${contact.c}'") == []


def test_the_closest_of_several_kinds_says_what_is_wrong() -> None:
    assert lint("message: { kind: picture, ulr: u }") == [
        "R502 `message` has no `url`",
        "R503 `message` has no argument `ulr`",
    ]
    assert lint("message: { kind: film, body: u }") == ["R505 `kind` cannot be `film`"]
    assert lint("message: hello") == ["R504 `message` is text, not a mapping"]
    assert lint("grade: [1]") == ["R505 `grade` cannot be a list"]
    assert lint("either: { a: 1 }") == ["R505 `either` cannot be a mapping"]
    assert lint("several: { a: 1 }") == ["R504 `several` is a mapping, not text or a list"]
    assert lint("several: [1]") == ["R504 an item of `several` is a number, not text"]


def test_keys_and_values_of_a_mapping() -> None:
    assert lint("numbers: { a: 1 }") == ["R505 the key `a` has 1 characters"]
    assert lint("numbers: { ab: 0.75 }") == ["R505 `ab` cannot be 0.75"]
    assert lint("numbers: { ab: 0 }") == ["R505 `ab` cannot be 0"]
    assert lint("numbers: []") == ["R504 `numbers` is a list, not a mapping"]
    assert lint("only: { a: 5 }") == ["R505 `a` cannot be 5"]
    assert lint("left: []") == ["R505 `left` has 0 items"]
    assert lint("left: 5") == ["R504 `left` is a number, not a list"]
    assert lint("only: { a: '${contact.x} ${' }") == ["R401 this template names no path"]


def test_a_description_or_an_unset_default_hides_no_mistake() -> None:
    assert lint("described: 5") == ["R504 `described` is a number, not text"]
    assert lint("record: true") == ["R504 `record` is true or false, not a whole number or text"]


def test_an_instant_says_its_offset() -> None:
    assert lint("when: 2026-11-07T05:31:56Z") == lint("when: '2026-11-07T05:31:56+01:00'") == []
    assert lint("when: '${contact.x}'") == lint("when: '2026-11-07T${contact.x}'") == []
    assert lint("when: true") == ["R504 `when` is true or false, not an instant"]
    assert lint("when: 2026-11-07T05:31:56") == ["R505 `when` cannot be `2026-11-07T05:31:56`"]
    assert lint("when: tomorrow, described: 5, grade: c") == [
        "R505 `when` cannot be `tomorrow`",
        "R504 `described` is a number, not text",
        "R505 `grade` cannot be `c`",
    ]


def test_a_type_that_checks_its_fields_together_speaks_for_its_own_place() -> None:
    assert lint("pair: { low: 2, high: 1 }, described: '${contact.x}'") == ["R506 the action refuses `pair`: low first"]
    assert lint("pair: { low: 2, high: '${contact.x}' }") == []


def test_a_type_of_the_actions_own_is_left_to_the_action() -> None:
    assert lint("money: much") == ["R506 the action refuses `with`: Invalid decimal string - at `$.money`"]
