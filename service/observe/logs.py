"""Logs: one wide line per delivery and per run, as JSON in containers and readable in a terminal.

Only ids, words and numbers are logged. Nothing that a CRM or Sakari sent is: no names, phone numbers, e-mail addresses.
"""

import logging
import sys

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
            structlog.processors.dict_tracebacks if not pretty else structlog.dev.set_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # arq logs its jobs with their arguments; uvicorn logs each request. Ours say more.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
