"""The sandbox as a process of its own: says where it listens, and stops cleanly."""

import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from service.sandbox.app import build
from service.sandbox.sample import DEMO_CAMPAIGN, demo_state
from service.sandbox.server import serving
from service.sandbox.state import Sandbox, Settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_its_url_and_stops_on_a_signal(number: signal.Signals) -> None:
    options = ["--client-id", "id", "--client-secret", "secret", "--account", "a1", "--tell-expires-in"]
    command = [sys.executable, "-m", "service.sandbox", "--port", "0", "--token-lifetime", "90", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            asked = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
            with httpx.Client(base_url=url) as http:
                token = http.post("/oauth2/token", json=asked).json()
                assert token["expires_in"] == 90
                header = {"Authorization": f"Bearer {token['access_token']}"}
                path = f"/v1/accounts/a1/dripcampaigns/{DEMO_CAMPAIGN}/executions"
                assert http.get(path, headers=header).json()["pagination"]["hasNext"] is True
        finally:
            process.send_signal(number)
            rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")


async def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port) + "|in use"):
            async with serving(build(Sandbox(Settings(), demo_state)), port=port):
                pytest.fail("a taken port was served")


async def test_it_serves_on_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    async with serving(build(Sandbox(Settings(), demo_state)), host="::1") as url, httpx.AsyncClient() as http:
        assert url.startswith("http://[::1]:")
        assert (await http.get(f"{url}/_sandbox/state")).status_code == 200
