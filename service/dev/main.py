"""`sluice dev`: everything on this machine, real processes over real HTTP, with the samples sent and the result shown."""

import asyncio
import contextlib
import fcntl
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from service.actions import ACTIONS
from service.dev.event_watch import settled, show, watch_events, watch_misfits
from service.dev.outage_watch import watch_accounts, watch_processes
from service.dev.processes import NotStarted, embedded_redis, free_port, is_free, running, sluice
from service.dev.rule_watch import watch_rules
from service.dev.samples import SAMPLES, Sample, configured_routes, find, send
from service.engine import load, read_folder, render
from service.insight.stories import RuleSets
from service.settings import DEV_FILE, redis_faults
from service.sources.delivery import Route
from service.store import Options, Store, journal, open_store

_READY_S = 30.0


class Stage(Struct, frozen=True):
    """What runs: the ingress, the environment by which other commands find everything, and the processes by name."""

    url: str
    environ: dict[str, str]
    processes: dict[str, asyncio.subprocess.Process]


async def dev(*, once: bool, rules: Path, fixtures: Path, redis_url: str | None, port: int, console: Console) -> int:
    """Start everything, send the samples, show what happens until Ctrl-C (or, with `once`, until the samples are done).

    Returns the exit code: 0 if all samples ended as the rules say, else 1. Raises NotStarted.
    """
    stopped = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stopped.set)
    folder = DEV_FILE.parent
    folder.mkdir(parents=True, exist_ok=True)
    async with _alone(folder), _stage(folder, rules, redis_url, port, console) as stage:
        store = open_store(stage.environ["SLUICE_REDIS_URL"], Options())
        try:
            good = await _send_samples(store, stage, fixtures, console, stopped)
            if not once and not stopped.is_set():
                _tell_what_next(stage, console)
                await _watch_until(stopped, store, stage, console)
        finally:
            await store.close()
        console.print("Stopping …", style="dim")
    console.print("Everything is stopped.", style="dim")
    return 0 if good else 1


@contextlib.asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Take a folder for ourselves and empty it. Raises NotStarted if another `sluice dev` lives there."""
    with (folder.parent / "dev.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotStarted("`sluice dev` runs in this folder already; stop that one, or use another clone") from None
        shutil.rmtree(folder)
        folder.mkdir()
        yield


def _tell_rule_problems(rules: Path, console: Console) -> None:
    """Show what is wrong with the rules: a file with an error is not in force, and nobody should have to wonder."""
    loaded = load(read_folder(rules), ACTIONS)
    for problem in loaded.problems:
        console.print(render(problem) + "\n", markup=False, highlight=False, soft_wrap=True)
    if loaded.broken:
        console.print(f"[red]Not in force because of errors: {', '.join(sorted(loaded.broken))}[/]\n")


@contextlib.asynccontextmanager
async def _stage(folder: Path, rules: Path, redis_url: str | None, port: int, console: Console) -> AsyncIterator[Stage]:
    """Run Redis, the sandbox, the ingress and a worker; they stop in the opposite order."""
    async with contextlib.AsyncExitStack() as stack:
        _tell_rule_problems(rules, console)
        console.print("Starting Redis, a stand-in for Sakari, the ingress and a worker …", style="dim")
        (folder / "redis").mkdir()
        redis = await stack.enter_async_context(embedded_redis(folder / "redis")) if redis_url is None else redis_url
        await _check_redis(redis)
        environ = _environment(folder, rules, redis, port if is_free(port) else free_port())
        processes = {}
        for name, command, url in (
            ("sandbox", _sandbox(environ), environ["SLUICE_SAKARI_URL"] + "/_sandbox/state"),
            ("worker", sluice("work"), ""),
            ("ingress", sluice("serve"), environ["SLUICE_PUBLIC_URL"] + "/readyz"),
        ):
            log = folder / f"{name}.log"
            processes[name] = await stack.enter_async_context(running(*command, environ=environ, log=log))
            if url:
                await _answers(url, processes[name], log)
        DEV_FILE.write_text("".join(f"{name}={value}\n" for name, value in environ.items()))
        stack.callback(DEV_FILE.unlink, missing_ok=True)
        console.print(f"Ready at {environ['SLUICE_PUBLIC_URL']}; logs in {folder}/*.log", style="dim")
        yield Stage(environ["SLUICE_PUBLIC_URL"], environ, processes)


async def _check_redis(url: str) -> None:
    if faults := redis_faults(url, "SLUICE_"):
        raise NotStarted(faults[0])
    store = open_store(url, Options())
    try:
        if silence := await store.silence():
            raise NotStarted(f"SLUICE_REDIS_URL: {silence}; unset it to get an embedded Redis")
    finally:
        await store.close()


def _environment(folder: Path, rules: Path, redis_url: str, port: int) -> dict[str, str]:
    return {
        "SLUICE_REDIS_URL": redis_url,
        "SLUICE_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "SLUICE_HOST": "127.0.0.1",
        "SLUICE_PORT": str(port),
        "SLUICE_RULES": str(rules),
        "SLUICE_SPILL_DIR": str(folder / "spill"),
        "SLUICE_HUBSPOT_CLIENT_SECRET": "dev-hubspot-secret",
        "SLUICE_HUBSPOT_WORKFLOW_SECRET": "dev-workflow-secret",
        "SLUICE_PIPEDRIVE_USER": "dev",
        "SLUICE_PIPEDRIVE_PASSWORD": "dev-pipedrive-password",
        "SLUICE_SAKARI_URL": f"http://127.0.0.1:{free_port()}",
        "SLUICE_SAKARI_ACCOUNT_ID": "dev-account",
        "SLUICE_SAKARI_CLIENT_ID": "dev-client",
        "SLUICE_SAKARI_CLIENT_SECRET": "dev-sakari-secret",
        "SLUICE_SAKARI_RATE": "100",
        "SLUICE_SAKARI_BURST": "20",
        "SLUICE_RETRY_BASE_S": "0.2",
        "SLUICE_ADMIN_TOKEN": "dev-admin-token",
        "SLUICE_VIEWER_TOKEN": "dev-viewer-token",
    }


def _sandbox(environ: dict[str, str]) -> tuple[str, ...]:
    port = environ["SLUICE_SAKARI_URL"].rpartition(":")[2]
    return sluice(
        "sandbox",
        *("--port", port, "--account", environ["SLUICE_SAKARI_ACCOUNT_ID"]),
        *("--client-id", environ["SLUICE_SAKARI_CLIENT_ID"]),
        *("--client-secret", environ["SLUICE_SAKARI_CLIENT_SECRET"]),
    )


async def _answers(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until a process answers. Raises NotStarted with the end of its log."""
    async with httpx.AsyncClient(trust_env=False) as client:
        until = time.monotonic() + _READY_S
        while time.monotonic() < until and process.returncode is None:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(0.05)
    end = log.read_text(errors="replace")[-2000:]
    raise NotStarted(f"{log.stem} did not come up; the end of {log}:\n{end}")


async def _send_samples(store: Store, stage: Stage, fixtures: Path, console: Console, stopped: asyncio.Event) -> bool:
    console.print("\nSending the samples, signed as HubSpot and Pipedrive do:\n", style="dim")
    good = True
    routes = configured_routes(stage.environ)
    async with httpx.AsyncClient(trust_env=False) as client:
        for sample in SAMPLES:
            if stopped.is_set():
                return False
            good &= await _send_sample(sample, client, routes, store, stage, fixtures, console)
    verdict = (
        "[green]All samples ended as the rules say.[/]" if good else "[red]Not all samples ended as the rules say.[/]"
    )
    console.print(f"\n{verdict}")
    return good


async def _send_sample(
    sample: Sample,
    client: httpx.AsyncClient,
    routes: list[Route],
    store: Store,
    stage: Stage,
    fixtures: Path,
    console: Console,
) -> bool:
    answer = await send(client, routes, find(fixtures, sample.source, sample.fixture), url=stage.url, fresh=True)
    console.print(
        f"[dim]POST {answer.request.url.path}  {sample.fixture}  →  {answer.status_code} {answer.text}"
        f"  ({answer.elapsed.total_seconds() * 1000:.0f} ms)[/]",
        soft_wrap=True,
    )
    if not answer.is_success:
        return False
    ended: dict[str, str] = {}
    for event in reversed(await journal.newest(store, answer.json()["accepted"])):
        story = await settled(store, event)
        ended |= {rule: run.state for rule, run in story.runs.items()}
        await show(RuleSets(store), story, console)
    if ended != sample.ends:
        console.print(f"    [red]expected {sample.ends}, got {ended}[/]")
    return ended == sample.ends


async def _watch_until(stopped: asyncio.Event, store: Store, stage: Stage, console: Console) -> None:
    """Show new events, deliveries that made no sense, changes of the rules and what fails as they come, until told to stop."""
    last = [event.id for event in await journal.newest(store, 1)]
    watching = [
        asyncio.create_task(watch_events(store, last[0] if last else "0", console)),
        asyncio.create_task(watch_misfits(store, console)),
        asyncio.create_task(watch_rules(stage.url, console)),
        asyncio.create_task(watch_accounts(store, console)),
        asyncio.create_task(watch_processes(stage.processes, DEV_FILE.parent, console)),
    ]
    await asyncio.wait([*watching, stopping := asyncio.create_task(stopped.wait())], return_when="FIRST_COMPLETED")
    for task in [*watching, stopping]:
        task.cancel()
    await asyncio.gather(*watching, stopping, return_exceptions=True)
    if not stopped.is_set() and (silence := await store.silence()):
        console.print(f"[red]✗[/] Redis is gone, so nothing can go on: {escape(silence)}", soft_wrap=True)


def _tell_what_next(stage: Stage, console: Console) -> None:
    for line in (
        "",
        f"The console: [bold]{stage.url}/console[/]  (sign in with [bold]{stage.environ['SLUICE_ADMIN_TOKEN']}[/])",
        "It stays up and shows new events as they come. In another terminal, in this folder, try:",
        "  # a new fact: it is done",
        "  [bold].venv/bin/sluice send hubspot contact.updated__lifecyclestage_customer --fresh[/]",
        "  # one delivery twice: the first is older than what came before, so it is superseded; the second does nothing",
        "  [bold]for i in 1 2; do .venv/bin/sluice send hubspot contact.updated__lifecyclestage_customer; done[/]",
        "  # what came in, and what could not be done",
        "  [bold].venv/bin/sluice events list[/]",
        "  [bold].venv/bin/sluice dead list[/]",
        "  # make the stand-in for Sakari refuse the next write, send one, and see a dead letter",
        "  [bold]curl -X PUT " + stage.environ["SLUICE_SAKARI_URL"] + "/_sandbox/misbehaviour "
        """-d '{"faults": [{"path": "/attributes/", "status": 400, "times": 1}]}'[/]""",
        f"Edit {stage.environ['SLUICE_RULES']}/*.yaml: a change is live within seconds, and told of here; so is a mistake.",
        f"All addresses and secrets stand in {DEV_FILE}. Ctrl-C stops everything.",
        "",
    ):
        console.print(line, highlight=False, soft_wrap=True)
