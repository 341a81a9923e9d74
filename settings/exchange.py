"""One exchange over HTTP: a request, and its whole answer within a deadline; or in words what became of it.

No word repeats the address behind its host, which may hold a secret, nor the server's own words.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from email.utils import parsedate_to_datetime
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Url

from shipcast.settings.proxies import proxy_of

CHUNK = 2**16
LARGEST = 64 * 2**20  # bytes of one answer
CONNECT = 10.0  # seconds for a connection to come about
REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")  # of http.client

Result = TypeVar("Result")


class Reception(NamedTuple):
    """What a server answered; headers by their names in small letters."""

    status: int
    headers: dict[str, str]
    content: bytes


class Broken(Exception):
    """There is no whole answer; another attempt may bring one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Untrusted(Broken):
    """Nobody that is trusted vouches for the server, or it does not encrypt; another attempt changes nothing."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.advice = advice


class TooLarge(Broken):
    """The answer is larger than any that is meant."""


def pool(silence: float, url: str) -> urllib3.PoolManager:
    """Connections to the server of an address, by the proxy that the environment names for it, if one.

    None may bring nothing for so many seconds; nothing is asked again by itself.

    Raises
    ------
    ConfigurationError
        What the environment names is no proxy.
    """
    proxy = proxy_of(url)
    timeout = urllib3.Timeout(connect=min(CONNECT, silence), read=silence)
    is_encrypted = urlsplit(url).scheme == "https" or proxy is not None
    trusted = ssl.create_default_context() if is_encrypted else None  # 50 ms of certificates
    if proxy is None:
        return urllib3.PoolManager(num_pools=2, maxsize=4, retries=False, timeout=timeout, ssl_context=trusted)
    shown = b64encode(proxy.user.get_secret_value().encode()).decode() if proxy.user else None
    return urllib3.ProxyManager(
        proxy.url,
        num_pools=2,
        maxsize=4,
        proxy_headers={"Proxy-Authorization": f"Basic {shown}"} if shown else None,
        proxy_ssl_context=trusted,
        retries=False,
        timeout=timeout,
        ssl_context=trusted,
    )


def exchange(
    connections: urllib3.PoolManager,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: float,
) -> Reception:
    """The answer to one request; where it leads on to another address, that is the answer.

    Parameters
    ----------
    deadline
        Seconds within which the whole answer has to be there, however slowly it drips.

    Raises
    ------
    Broken
        Why there is none.
    """
    until = time.monotonic() + deadline
    try:
        response = connections.request(
            method, url, body=body, headers=dict(headers), preload_content=False, redirect=False
        )
        try:
            content = drained(response, until, deadline)
            response.release_conn()
        except BaseException:
            response.close()
            raise
    except (ssl.SSLError, urllib3.exceptions.SSLError) as error:
        raise unencrypted(error) from None
    except urllib3.exceptions.HTTPError as error:
        raise Broken(in_words(error, connections.proxy)) from None
    return Reception(response.status, {name.lower(): value for name, value in response.headers.items()}, content)


def unencrypted(error: Exception) -> Broken:
    """What an error of TLS means, of the library `ssl` or around one of its own."""
    cause = error if isinstance(error, ssl.SSLError) else error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        authority = "Add your authority's certificate to the system's store, or name it by SSL_CERT_FILE."
        return Untrusted("its certificate is not trusted", authority)
    if not isinstance(cause, ssl.SSLError) or isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Broken("the connection broke off")
    return Untrusted(
        f"no encrypted connection came about ({cause.reason or type(cause).__name__})",
        "Is there a server at this address and port that speaks TLS (https)?",
    )


def drained(response: urllib3.BaseHTTPResponse, until: float, deadline: float) -> bytes:
    pieces, size = [], 0
    while piece := response.read1(CHUNK):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise TooLarge(f"one answer is larger than {LARGEST // 2**20} MiB")
        if time.monotonic() > until:
            raise Broken(f"its answer was not whole after {deadline:.0f} s")
    return b"".join(pieces)


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """What the work gives, if it ends in time, whatever it waits for; a look-up of a name heeds no other limit.

    Raises
    ------
    TimeoutError
        It does not; it is left behind and ends with the process.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result(seconds)


def pause_of(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait; clocks are compared by its own `Date`, so that ours may be wrong."""
    now = moment(headers.get("date")) or time.time()
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    if (until := moment(after)) is not None:
        return max(0.0, until - now)
    for kind in ("x-ratelimit", "ratelimit"):
        if headers.get(f"{kind}-remaining") == "0" and (reset := headers.get(f"{kind}-reset", "")).isdecimal():
            return max(0.0, float(reset) - now) + 1 if float(reset) > 10**9 else float(reset)
    return None


def moment(text: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date; None: it is none."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (TypeError, ValueError, OverflowError):
        return None


def origin(url: str) -> str:
    """Scheme, host and port: what a token is good for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def in_words(error: urllib3.exceptions.HTTPError, proxy: Url | None = None) -> str:
    """What became of a connection, without the address, which may hold a query; a proxy by its host and port."""
    match error:
        case urllib3.exceptions.ProxyError():
            return (
                f"the proxy {proxy.netloc if proxy else ''} does not let it through: {of_proxy(error.original_error)}"
            )
        case urllib3.exceptions.NameResolutionError():
            return "its name is not known"
        case urllib3.exceptions.NewConnectionError():
            is_refused = isinstance(error.__cause__, ConnectionRefusedError)
            return "the connection was refused" if is_refused else "no connection came about"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.ReadTimeoutError():
            return "it did not answer in time"
        case urllib3.exceptions.IncompleteRead() | urllib3.exceptions.ProtocolError():
            return "the answer broke off"
        case _:
            return f"the exchange failed ({type(error).__name__})"


def of_proxy(error: Exception) -> str:
    """Why a proxy was of no use; it says by a status what it has against an address."""
    if isinstance(error, urllib3.exceptions.HTTPError):
        return in_words(error)
    if isinstance(error, ssl.SSLError):
        return unencrypted(error).reason
    found = REFUSED.search(str(error))
    return f"it answers {found[1]}" if found else "the connection broke off"
