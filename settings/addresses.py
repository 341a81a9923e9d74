"""Addresses of servers: which of them lie on this machine, and to which a secret may travel."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether what is sent to the host leaves this machine not at all."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_open(url: str) -> bool:
    """Whether others could read along on the way to it: no encryption, and another machine.

    >>> [is_open(url) for url in ("http://ci.example.com", "https://ci.example.com", "http://127.0.0.1:8080")]
    [True, False, False]
    """
    parts = urlsplit(url)
    return parts.scheme != "https" and not is_loopback(parts.hostname or "")
