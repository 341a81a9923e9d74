"""A server that is asked politely: few requests at once, retries with growing pauses, and waits where it says so.

A request is made again after a broken connection, a slow or truncated answer, a 5xx, and a refusal for the rate of
requests; the pause is what the server asks for (`Retry-After`, or the end of its rate limit by its own clock), else
random below a bound that doubles. A server that asks for more than `longest` seconds is left alone.

The token goes to the address of the settings and nowhere else: a redirection or a next page that leads to another
server is refused.
"""

from __future__ import annotations

import json
import math
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlencode, urljoin

import tenacity
from pydantic import SecretStr

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere, RateLimited
from shipcast.settings.errors import SourceUnreachable
from shipcast.settings.exchange import (
    Broken,
    Reception,
    TooLarge,
    Untrusted,
    exchange,
    moment,
    origin,
    pause_of,
    pool,
    within,
)

REDIRECTS = 5
TOO_MANY = 429
MOST_REPEATS = 10  # of one request, or of one answer after another
LARGE = 200  # bytes of an answer that two pages can hardly share
DAY = 86_400  # seconds
QUOTED = 200  # characters of a server's own words


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for; all in seconds but the attempts.

    Parameters
    ----------
    attempts
        Requests made for one answer.
    knocks
        Requests made for the first answer, before it is known whether anybody is there.
    first, most
        The bound of the first pause, and the highest bound that it grows to.
    longest
        The longest pause that a server may ask for.
    silence
        How long a connection may bring nothing.
    deadline
        How long one answer may take in all, however slowly it drips.
    """

    attempts: int = 8
    knocks: int = 8
    first: float = 1
    most: float = 60
    longest: float = 900
    silence: float = 30
    deadline: float = 120


PATIENCE = Patience()
DOUBTFUL = Patience(knocks=3)  # with a server that was not there the last time


@dataclass(frozen=True)
class Reply:
    """What a server answered: its JSON, and the headers by their names in small letters."""

    data: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def given_at(self) -> datetime:
        """When it was given by the server's own clock; by ours where it does not say."""
        return datetime.fromtimestamp(moment(self.headers.get("date")) or time.time(), UTC)

    @property
    def next_page(self) -> str | None:
        """The address of the next page, from the header `Link` (RFC 8288); None: this is the last."""
        for part in self.headers.get("link", "").split(","):
            target, _, parameters = part.partition(";")
            if 'rel="next"' in parameters:
                return target.strip().strip("<>")
        return None


class Unanswered(Exception):
    """One attempt failed in a way that another may not; `pause` is what the server asks for, in seconds."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause


@dataclass
class Site:
    """One server, as one source asks it.

    Parameters
    ----------
    name
        The source's name in messages.
    url
        The address that all paths are taken from.
    token
        What gives access; None: nothing is needed. It is shown nowhere.
    credential
        Where the token comes from, in words, for messages.
    advice
        What helps when the token lacks a right.
    unknown
        What to look at first where the token is not known there at all.
    """

    name: str
    url: str
    token: SecretStr | None = None
    credential: str = "the token"
    advice: str = ""
    unknown: str = "See whether it is right, whole and not expired."
    patience: Patience = PATIENCE
    progress: Callable[[str], None] = field(default=lambda _: None, repr=False)

    def __post_init__(self) -> None:
        self.headers: dict[str, SecretStr | str] = {}
        self.asked_before: Counter[int] = Counter()
        self.told = self.same = 0
        self.has_answered = False
        self.is_passing: Callable[[Any], bool] = lambda _: False  # whether an answer tells of a fault that may pass
        self.counts_same = True  # whether equal answers in a row are a circle, as of pages that follow each other
        self.pool = pool(self.patience.silence, self.url)

    def carry(self, header: str = "Authorization", form: str = "Bearer {token}", **others: str) -> Site:
        """Let each request show the token in a header, and carry other headers (`_` in their names for `-`)."""
        self.headers.update({name.replace("_", "-"): value for name, value in others.items()})
        if self.token is not None:
            self.headers[header] = SecretStr(form.format(token=self.token.get_secret_value()))
        return self

    def carry_as(self, user: SecretStr) -> Site:
        """Let each request show the token as that user's password."""
        token = self.token.get_secret_value() if self.token else ""
        pair = b64encode(f"{user.get_secret_value()}:{token}".encode()).decode()
        self.headers["Authorization"] = SecretStr(f"Basic {pair}")
        return self

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Reply:
        """The answer to a GET.

        Parameters
        ----------
        path
            From the site's address, or whole, as servers give the next page.
        parameters
            Those that are None are left out; a list is given once for each of its values.
        """
        given = {key: value for key, value in (parameters or {}).items() if value is not None}
        return self.asked("GET", f"{self.address(path)}{query(given)}", None)

    def post(self, path: str, body: Any) -> Reply:
        """The answer to a POST of JSON that changes nothing there, such as a query."""
        return self.asked("POST", self.address(path), json.dumps(body).encode())

    def address(self, path: str) -> str:
        """The whole address of a path.

        Raises
        ------
        AnswerUnusable
            It lies on another server.
        """
        whole = path if "://" in path else f"{self.url}/{path.lstrip('/')}"
        if origin(whole) != origin(self.url):
            raise AnswerUnusable(
                f"{self.name}: {origin(self.url)} leads on to {origin(whole)}, which gets no token of yours.",
                next_step="If that is right, name that address as the source's url.",
            )
        return whole

    def asked(self, method: str, url: str, body: bytes | None) -> Reply:
        """The answer, after as many attempts as patience allows.

        Raises
        ------
        CredentialsRefused, NothingThere, RateLimited, AnswerUnusable, SourceUnreachable
            In words that name the source, and never the token.
        """
        try:
            return self.persistent()(self.attempt, method, url, body)
        except tenacity.RetryError as error:
            last = error.last_attempt.exception()
            assert isinstance(last, Unanswered)
            raise self.gave_up(last) from None

    @property
    def most_attempts(self) -> int:
        """How often a request is made before it is given up."""
        return self.patience.attempts if self.has_answered else min(self.patience.attempts, self.patience.knocks)

    def persistent(self) -> tenacity.Retrying:
        patience = self.patience
        growing = tenacity.wait_random_exponential(multiplier=patience.first, max=patience.most)

        def wait(state: tenacity.RetryCallState) -> float:
            pause = asked_for(state)
            return float(growing(state)) if pause is None else pause

        def stop(state: tenacity.RetryCallState) -> bool:
            pause = asked_for(state) or 0
            return state.attempt_number >= self.most_attempts or state.idle_for + pause > patience.longest

        def tell(state: tenacity.RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            if state.next_action and state.next_action.sleep >= 1:
                self.progress(f"{self.name}: {error}; again in {state.next_action.sleep:.0f} s")

        return tenacity.Retrying(
            wait=wait, stop=stop, before_sleep=tell, retry=tenacity.retry_if_exception_type(Unanswered)
        )

    def gave_up(self, last: Unanswered) -> SourceUnreachable:
        if last.pause:
            return RateLimited(
                f"{self.name}: asks to wait {for_long(last.pause)} ({last.reason}).",
                next_step="What was read is kept; the next run goes on from there.",
            )
        return SourceUnreachable(
            f"{self.name}: no answer from {origin(self.url)} in {self.most_attempts} attempts; the last: "
            f"{last.reason}.",
            next_step="See whether it can be reached from here; the next run goes on where this one ended.",
        )

    def attempt(self, method: str, url: str, body: bytes | None) -> Reply:
        status, headers, content = self.exchanged(method, url, body)
        if status >= 300:
            raise self.refusal(status, headers, content)
        if not content.strip():
            raise Unanswered("its answer is empty")
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            if "html" in headers.get("content-type", ""):
                raise AnswerUnusable(
                    f"{self.name}: {origin(url)} answers with a web page, not with data.",
                    next_step="Is a sign-in page or a proxy in between? Check the source's url.",
                ) from None
            raise Unanswered("its answer is no JSON, or breaks off") from None
        if self.is_passing(data):
            raise Unanswered("it says that something went wrong there")
        self.check_progress(method, url, body, content)
        self.has_answered = True
        return Reply(data, headers)

    def exchanged(self, method: str, url: str, body: bytes | None) -> Reception:
        """Status, headers and content, after redirections within the same server."""
        for _ in range(REDIRECTS + 1):
            answered = self.once(method, url, body)
            if answered.status not in (301, 302, 307, 308) or "location" not in answered.headers:
                return answered
            url = self.address(urljoin(url, answered.headers["location"]))
        raise AnswerUnusable(f"{self.name}: {origin(url)} leads in a circle of redirections.")

    def once(self, method: str, url: str, body: bytes | None) -> Reception:
        deadline = self.patience.deadline
        try:
            # The deadline of the exchange begins to count behind the head, which may drip too.
            return within(
                self.patience.silence + deadline,
                lambda: exchange(self.pool, method, url, self.sent(body), body, deadline),
            )
        except TimeoutError:
            raise Unanswered(f"its answer was not whole after {deadline:.0f} s") from None
        except Untrusted as error:
            raise SourceUnreachable(f"{self.name}: {origin(url)}: {error.reason}.", next_step=error.advice) from None
        except TooLarge as error:
            raise AnswerUnusable(f"{self.name}: {error.reason}.") from None
        except Broken as error:
            raise Unanswered(error.reason) from None

    def sent(self, body: bytes | None) -> dict[str, str]:
        own = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.headers.items()
        }
        about = {"User-Agent": f"shipcast/{version('shipcast')}", "Accept": "application/json"}
        return {**about, **({"Content-Type": "application/json"} if body is not None else {}), **own}

    def cleaned(self, text: str) -> str:
        """The text without the token and all that is sent with it, which a server may have put into its words."""
        held = [
            value.get_secret_value() for value in (*self.headers.values(), self.token) if isinstance(value, SecretStr)
        ]
        for secret in sorted(
            {part for value in held for part in (value, value.rpartition(" ")[2])}, key=len, reverse=True
        ):
            text = text.replace(secret, "…")
        return text

    def quoted(self, words: object) -> str:
        """The server's own words in one line, without the token, and only then cut: a part of it would not be found."""
        return self.cleaned(" ".join(str(words or "").split()))[:QUOTED]

    def check_progress(self, method: str, url: str, body: bytes | None, content: bytes) -> None:
        """Nothing, unless the server leads in a circle.

        Raises
        ------
        AnswerUnusable
            The same was asked, or the same answered, too often.
        """
        asked = hash((method, url, body))
        self.asked_before[asked] += 1
        told = hash(content) if len(content) >= LARGE and self.counts_same else 0
        self.same = self.same + 1 if told and told == self.told else 0
        self.told = told
        if self.asked_before[asked] > MOST_REPEATS or self.same > MOST_REPEATS:
            raise AnswerUnusable(
                f"{self.name}: {origin(self.url)} gives the same page again and again.",
                next_step="Report it, with the version of that server.",
            )

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        """What a status above 299 means: worth another attempt, or the end."""
        pause = pause_of(headers)
        is_limit = status == TOO_MANY or (status == 403 and (pause is not None or b"rate limit" in content.lower()))
        if is_limit:
            return Unanswered("too many requests", pause)
        if status >= 500 or status == 408:
            return Unanswered(f"it answers {status}", pause)
        words = self.quoted(message_of(content))
        said = f" It says: {words.rstrip('.')}." if words else ""
        if status in (401, 403):
            rights = self.advice or "Make a new one, or give it the rights that docs/connect names."
            unknown = f"{self.unknown} " if status == 401 else ""
            what = "refuses" if status == 401 else "does not let"
            rest = "" if status == 401 else " see this"
            return CredentialsRefused(
                f"{self.name}: {origin(self.url)} {what} {self.credential}{rest} ({status}).{said}",
                next_step=f"{unknown}{rights}",
            )
        if status in (404, 410):
            return NothingThere(
                f"{self.name}: {origin(self.url)} knows nothing of it, or {self.credential} may not see it ({status}).",
                next_step="Correct the name, or the token's rights.",
            )
        return AnswerUnusable(f"{self.name}: {origin(self.url)} answers {status}.{said}", status=status)


def for_long(seconds: float) -> str:
    """
    >>> for_long(1.0), for_long(3000.0), for_long(float("inf"))
    ('a minute more', '50 minutes more', 'for over a day')
    """
    minutes = math.ceil(min(seconds, 2 * DAY) / 60)
    return "a minute more" if minutes <= 1 else f"{minutes:,} minutes more" if seconds <= DAY else "for over a day"


def asked_for(state: tenacity.RetryCallState) -> float | None:
    """The pause that the server asked for in the last attempt; None: it said nothing."""
    error = state.outcome.exception() if state.outcome else None
    return error.pause if isinstance(error, Unanswered) else None


def query(parameters: Mapping[str, Any]) -> str:
    return f"?{urlencode(parameters, doseq=True)}" if parameters else ""


def message_of(content: bytes) -> str:
    """The server's own words, in one line; empty: it has none that can be shown."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    found = data.get("message") or data.get("error") or data.get("error_description") if isinstance(data, dict) else ""
    if isinstance(found, dict):
        found = found.get("message", "")
    text = " ".join(str(found or "").split())
    return "".join(letter for letter in text if letter.isprintable())
