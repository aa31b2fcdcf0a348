"""Logs: one wide line per delivery and per run, as JSON in containers and readable in a terminal.

Only ids, words and numbers are logged. Nothing that a CRM or Sakari sent is: no names, phone numbers, e-mail addresses.
"""

import asyncio
import atexit
import contextlib
import logging
import sys
import traceback
from collections import deque
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import structlog
from structlog.typing import EventDict

from service.observe import traces


def configure(*, pretty: bool | None = None) -> None:
    """Set up logging for this process. `pretty`: readable lines; by default if the output is a terminal."""
    pretty = sys.stderr.isatty() if pretty is None else pretty
    structlog.configure(
        processors=[about, structlog.dev.ConsoleRenderer() if pretty else as_json],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr) if pretty else Together,
        cache_logger_on_first_use=True,
    )
    atexit.register(Together.flush)
    # arq logs its jobs with their arguments; uvicorn logs each request. Ours say more.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Bare(logging.BASIC_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def unhandled(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody caught in an event loop: set as the loop's exception handler. asyncio's own would tell its text."""
    structlog.get_logger("sluice").error(
        "nobody caught this", exc_info=context.get("exception"), what=context["message"]
    )


class _Bare(logging.Formatter):
    """The format of lines that others log, with exceptions as bare as ours."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return f"{type(ei[1]).__name__} at {', '.join(_places(ei[1]))}"


class Together:
    """Writes the lines of one turn of the event loop together: at a hundred deliveries in a turn, each write costs."""

    _lines: ClassVar[deque[bytes]] = deque()
    _due: ClassVar[asyncio.AbstractEventLoop | None] = None
    """The loop that will write at the end of its turn."""

    def __init__(self, *_: Any) -> None: ...

    def msg(self, line: bytes) -> None:
        """Take a line. Outside of an event loop it is written at once."""
        self._lines.append(line)
        if self._due is not None and not self._due.is_closed():
            return
        try:
            Together._due = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
        else:
            Together._due.call_soon(self.flush)

    debug = info = warning = error = critical = exception = msg

    @classmethod
    def flush(cls) -> None:
        """Write what has been taken; a standard error that nobody reads any more is no reason to fail."""
        lines, cls._due = [], None
        with contextlib.suppress(IndexError):  # threads may log at the same time
            while True:
                lines.append(cls._lines.popleft())
        if lines:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.buffer.write(b"\n".join([*lines, b""]))
                sys.stderr.buffer.flush()


def about(_: Any, level: str, line: EventDict) -> EventDict:
    """Put what every line has into a line: level, time (UTC; ISO 8601 in JSON), the trace at hand, where it broke."""
    line["level"] = level
    line["timestamp"] = datetime.now(UTC)  # the encoder writes it faster than Python does
    if trace := traces.trace_id():
        line["trace_id"] = trace
    return where_it_broke(line) if "exc_info" in line else line


def as_json(_: Any, __: str, line: EventDict) -> bytes:
    """Write a line as JSON; what JSON has no word for becomes its repr."""
    return _encode(line)


_encode = msgspec.json.Encoder(enc_hook=repr).encode


def where_it_broke(line: EventDict) -> EventDict:
    """Put the places that an exception came through in place of the exception.

    Its text and its variables may hold personal data, and where it broke is mostly enough to find out why.
    """
    error = line.pop("exc_info")
    error = sys.exc_info()[1] if error is True else error
    if isinstance(error, BaseException):
        line["exception"] = type(error).__name__
        line["at"] = _places(error)
    return line


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rpartition('service/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
