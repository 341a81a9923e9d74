"""A message posted to an address that is itself a secret."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import version
from urllib.parse import urlsplit

from shipcast.channels.errors import ChannelRefuses, ChannelUnreachable
from shipcast.settings.addresses import is_open
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.exchange import Broken, Untrusted, exchange, pause_of, pool, within
from shipcast.settings.secrets import Reference, needed

SILENCE = 15.0  # seconds for which a server may bring nothing
TOO_MANY = 429

# It warns of odd headers, and tells of each request, with the whole address, which is the secret.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


def post(label: str, address: Reference, body: bytes, headers: Mapping[str, str], deadline: float) -> None:
    """Hand over a message; it is taken where the server says so (a status of 2xx) within the deadline, in seconds.

    Raises
    ------
    ConfigurationError
        The address is not there, or is none.
    ChannelRefuses, ChannelUnreachable
        It was not taken.
    """
    url = checked(needed(address, label).get_secret_value(), label)
    sent = {"User-Agent": f"shipcast/{version('shipcast')}", "Content-Type": "application/json", **headers}
    try:
        status, answered, _ = within(
            deadline, lambda: exchange(pool(min(SILENCE, deadline), url), "POST", url, sent, body, deadline)
        )
    except TimeoutError:
        raise ChannelUnreachable(f"{label}: its server did not answer within {deadline:g} s.") from None
    except Untrusted as error:
        raise ChannelUnreachable(f"{label}: {error.reason}.", next_step=error.advice) from None
    except Broken as error:
        raise ChannelUnreachable(
            f"{label}: {error.reason}.", next_step="See whether its server can be reached."
        ) from None
    if not 200 <= status < 300:
        raise refusal(label, status, pause_of(answered))


def checked(url: str, label: str) -> str:
    """The address, if it is one that nobody on the way can read along."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    is_safe = bool(host) and parts.scheme in ("https", "http") and not is_open(url)
    if not is_safe or port == 0 or "@" in parts.netloc:
        raise ConfigurationError(
            f"{label}: its address is none that can be used.",
            next_step="It begins with https:// and names a host; http:// does on this machine alone.",
        )
    return url


def refusal(label: str, status: int, pause: float | None) -> ChannelRefuses | ChannelUnreachable:
    if status >= 500 or status in (408, TOO_MANY):
        said = "has had too many messages" if status == TOO_MANY else "cannot take it now"
        return ChannelUnreachable(f"{label}: its server {said} ({status}).", pause=pause)
    if status < 400:
        return ChannelRefuses(
            f"{label}: its server leads on to another address ({status}), which gets nothing.",
            next_step="Put the final address there.",
        )
    return ChannelRefuses(
        f"{label}: its server refuses the message ({status}).",
        next_step="See whether its address and secret are still right.",
        pause=pause,
    )
