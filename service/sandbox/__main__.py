"""`python -m service.sandbox`: prints `{"url": …}` on one line when ready; SIGTERM or SIGINT stops it."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from service.sandbox.app import build
from service.sandbox.sample import demo_state
from service.sandbox.server import serving
from service.sandbox.state import Sandbox, Settings


def arguments(argv: Sequence[str], *, typed: str = "python -m service.sandbox") -> argparse.Namespace:
    """Read the options. `typed`: the command before them, which the help names."""
    parser = argparse.ArgumentParser(prog=typed, description="A strict stand-in for Sakari.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--account", default=Settings().account)
    parser.add_argument("--client-id", default=Settings().client_id)
    parser.add_argument("--client-secret", default=Settings().client_secret)
    parser.add_argument("--token-lifetime", type=int, default=Settings().token_lifetime_s, help="seconds")
    parser.add_argument("--tell-expires-in", action="store_true", help="put expires_in into the token answer")
    parser.add_argument("--limit", type=float, default=Settings().limit, help="API calls a second, then 429; 0: none")
    parser.add_argument("--limit-burst", type=int, default=Settings().limit_burst, help="at once; 0: a second's worth")
    return parser.parse_args(argv)


async def run(options: argparse.Namespace) -> None:
    settings = Settings(
        account=options.account,
        client_id=options.client_id,
        client_secret=options.client_secret,
        token_lifetime_s=options.token_lifetime,
        tell_expires_in=options.tell_expires_in,
        limit=options.limit,
        limit_burst=options.limit_burst,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(build(Sandbox(settings, demo_state)), host=options.host, port=options.port) as url:
        sys.stdout.write(json.dumps({"url": url}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(run(arguments(sys.argv[1:])))
