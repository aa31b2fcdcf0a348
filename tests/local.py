"""A client for the servers that tests start on this machine."""

import ssl
from typing import Any

import httpx

_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def client(**options: Any) -> httpx.AsyncClient:
    """Open a client for plain HTTP. It reads no certificates, which takes httpx longer than all that most tests do."""
    return httpx.AsyncClient(verify=_TRUSTS_NOBODY, trust_env=False, **options)
