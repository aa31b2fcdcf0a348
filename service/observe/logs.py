"""Logs: one wide line per delivery and per run, as JSON in containers and readable in a terminal.

Only ids, words and numbers are logged. Nothing that a CRM or Sakari sent is: no names, phone numbers, e-mail addresses.
"""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog


def configure(*, pretty: bool | None = None) -> None:
    """Set up logging for this process. `pretty`: readable lines; by default if the output is a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    renderer = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tell_exception,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # arq logs its jobs with their arguments; uvicorn logs each request. Ours say more.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def _tell_exception(_logger: Any, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tell an exception by its type and the way it took: its text and the local variables may hold personal data."""
    error = sys.exception() if line.pop("exc_info", None) else None
    if error is not None:
        frames = traceback.extract_tb(error.__traceback__)
        way = "".join(f"\n  {Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames)
        line["exception"] = f"{type(error).__name__}{way}"
    return line
