"""Logs: one line each, for machines or for people, and no personal data in either."""

import json
import subprocess
import sys

import pytest

BREAKS = """
import logging, sys
import structlog
from service.observe import logs
logs.configure(pretty={pretty})
log = structlog.get_logger("sluice.worker")
log.info("run", rule="r", state="done")
log.debug("nobody wants to know")
def text(number):
    account = {{"token": "hidden-token"}}
    raise ValueError(f"cannot text {{number}}")
try:
    text("+15550109999")
except ValueError:
    log.exception("a step broke", run="a/r")
    logging.getLogger("uvicorn.error").info("not heard")
    logging.getLogger("uvicorn.error").error("heard")
"""


def _lines(pretty: object) -> list[str]:
    script = BREAKS.format(pretty=pretty)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_each_line_for_machines_is_json() -> None:
    run, broke, *rest = _lines(pretty=False)
    assert json.loads(run).items() >= {"event": "run", "rule": "r", "state": "done", "level": "info"}.items()
    assert json.loads(broke).items() >= {"event": "a step broke", "run": "a/r", "level": "error"}.items()
    assert rest == ["ERROR:uvicorn.error:heard"]


def test_an_exception_is_told_by_its_type_and_the_way_it_took() -> None:
    broke = json.loads(_lines(pretty=False)[1])
    assert broke["exception"] == "ValueError"
    assert any(place.endswith(" text") for place in broke["at"])


@pytest.mark.parametrize("pretty", [True, False])
def test_neither_the_text_of_an_exception_nor_a_local_variable_is_logged(pretty: bool) -> None:
    lines = "\n".join(_lines(pretty=pretty))
    assert "a step broke" in lines
    assert "ValueError" in lines
    assert "5550109999" not in lines
    assert "hidden-token" not in lines


def test_without_a_terminal_it_is_json() -> None:
    assert json.loads(_lines(pretty=None)[0])["event"] == "run"


UNCAUGHT = """
import asyncio, gc, logging
from service.observe import logs
logs.configure(pretty=False)
async def fail():
    raise ValueError("cannot text +15550109999")
async def main():
    asyncio.get_running_loop().set_exception_handler(logs.unhandled)
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task
    gc.collect()
    await asyncio.sleep(0)
asyncio.run(main())
try:
    asyncio.run(fail())
except ValueError:
    logging.getLogger("uvicorn.error").exception("in the server")
"""


def test_what_nobody_caught_and_what_others_log_is_as_bare() -> None:
    done = subprocess.run([sys.executable, "-c", UNCAUGHT], capture_output=True, text=True, check=True)
    assert "nobody caught this" in done.stderr
    assert "in the server" in done.stderr
    assert done.stderr.count("ValueError") == 2
    assert "5550109999" not in done.stderr
    assert "Traceback" not in done.stderr
