"""The proxy that the environment names for an address: by `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, small or large.

What an address of a proxy says of a user and a password is shown nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from pydantic import SecretStr

from shipcast.settings.addresses import is_loopback
from shipcast.settings.errors import ConfigurationError


@dataclass(frozen=True)
class Proxy:
    """A proxy, and the user and password that it asks for (`user:password`); None: it asks for none."""

    url: str
    user: SecretStr | None


def proxy_of(url: str) -> Proxy | None:
    """The proxy by which an address is asked; None: it is asked directly, as is whatever lies on this machine.

    Raises
    ------
    ConfigurationError
        The variable holds no address of a proxy.
    """
    parts, named = urlsplit(url), getproxies_environment()
    given, host = named.get(parts.scheme), parts.netloc.rpartition("@")[2]
    if not given or is_loopback(parts.hostname or "") or proxy_bypass_environment(host, named):
        return None
    return checked(given if "://" in given else f"http://{given}", f"{parts.scheme.upper()}_PROXY")


def checked(url: str, variable: str) -> Proxy:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise ConfigurationError(
            f"The variable {variable} holds no address of a proxy that can be used.",
            next_step="Write it such as http://proxy.example.com:3128, or name in NO_PROXY what needs none.",
        )
    user, _, place = parts.netloc.rpartition("@")
    return Proxy(f"{parts.scheme}://{place}", SecretStr(unquote(user)) if user else None)
