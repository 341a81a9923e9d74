"""What `[[notify]]` entries may say: one model for each kind of channel that messages go out by.

An address that gives access, a secret or a password is never written here: the entry names the variable or the file
that holds it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shipcast.settings.addresses import is_loopback
from shipcast.settings.secrets import Reference
from shipcast.settings.sources import Names, Variable
from shipcast.settings.zone import Zone

Event = Literal["window_opening", "risk_rising", "freeze_conflict", "source_stale", "weekly_digest"]
EVENTS: tuple[Event, ...] = get_args(Event)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
LONGEST_ADDRESS, MOST_PEOPLE = 254, 50
PORTS = {"starttls": 587, "tls": 465, "none": 25}


def check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a channel; write 1 to 40 letters, digits, -, _ or .")
    return name


def check_quiet(hours: str) -> str:
    match = CLOCK.fullmatch(hours.replace(" ", ""))
    if match is None or match.group(1, 2) == match.group(3, 4):
        raise ValueError(f"{hours!r} are no hours; write two different times of day, such as 22:00-07:00")
    return match[0]


def check_address(address: str) -> str:
    if not ADDRESS.fullmatch(address) or len(address) > LONGEST_ADDRESS:
        raise ValueError(f"{address!r} is no address of e-mail; write it such as releases@example.com")
    return address


def check_server(server: str) -> str:
    try:
        parts = urlsplit(f"//{server}")
        is_server = parts.netloc == server and bool(parts.hostname) and "@" not in server and parts.port != 0
    except ValueError:
        is_server = False
    if not is_server:
        raise ValueError(f"{server!r} is no server; write it such as smtp.example.com:587")
    return server


Address = Annotated[str, AfterValidator(check_address)]


class BaseChannel(BaseModel):
    """What all channels have in common.

    Parameters
    ----------
    name
        What messages, answers and records call it; empty: as its kind.
    events
        What it is told of.
    services
        Globs: of what is about one service, only what is about these; none: all.
    quiet
        The hours of each day in which nothing is sent that can wait, by the clock of `tz`; None: there are none.
    tz
        None: the zone of reports.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Annotated[str, AfterValidator(check_name)] | None = None
    events: tuple[Event, ...] = EVENTS
    services: Names = ()
    quiet: Annotated[str, AfterValidator(check_quiet)] | None = None
    tz: Zone | None = None

    @property
    def label(self) -> str:
        return self.name or str(getattr(self, "kind", ""))

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """From when to when on the clock; the end may lie on the next day."""
        if self.quiet is None:
            return None
        begins, ends = self.quiet.split("-")
        return time.fromisoformat(begins), time.fromisoformat(ends)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The secrets that it needs."""
        return ()


def check_one(reference: Reference, key: str) -> None:
    """Nothing, if a secret is named in one way."""
    if (reference.variable is None) == (reference.file is None):
        raise ValueError(f"{reference.what} is named by {key}_env or by {key}_file, by one of the two")


class WebhookChannel(BaseChannel):
    """An address that takes signed messages, as the Standard Webhooks specification has them.

    Parameters
    ----------
    url_env, url_file
        The variable, or the file, that holds the address.
    secret_env, secret_file
        The same of the secret by which messages are signed.
    """

    kind: Literal["webhook"] = "webhook"
    url_env: Variable | None = None
    url_file: Path | None = None
    secret_env: Variable | None = None
    secret_file: Path | None = None

    @property
    def address(self) -> Reference:
        return Reference("its address", self.url_env, self.url_file)

    @property
    def secret(self) -> Reference:
        return Reference("its secret", self.secret_env, self.secret_file)

    @property
    def references(self) -> tuple[Reference, ...]:
        return self.address, self.secret

    @model_validator(mode="after")
    def check_references(self) -> WebhookChannel:
        check_one(self.address, "url")
        check_one(self.secret, "secret")
        return self


class SlackChannel(BaseChannel):
    """An incoming webhook of Slack.

    Parameters
    ----------
    url_env, url_file
        The variable, or the file, that holds its address.
    """

    kind: Literal["slack"] = "slack"
    url_env: Variable | None = None
    url_file: Path | None = None

    @property
    def address(self) -> Reference:
        return Reference("its address", self.url_env, self.url_file)

    @property
    def references(self) -> tuple[Reference, ...]:
        return (self.address,)

    @model_validator(mode="after")
    def check_references(self) -> SlackChannel:
        check_one(self.address, "url")
        return self


class EmailChannel(BaseChannel):
    """E-mail by a server that takes it in.

    Parameters
    ----------
    server
        With its port; without: the usual one of `tls`.
    tls
        starttls, tls (from the first byte on), or none, which only a server on this machine may have.
    user, password_env, password_file
        How to sign in, and the variable, or the file, that holds the password; None: nobody has to.
    sender, to
        From whom, and to whom.
    """

    kind: Literal["email"] = "email"
    server: Annotated[str, AfterValidator(check_server)]
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_env: Variable | None = None
    password_file: Path | None = None
    sender: Address
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=MOST_PEOPLE)]

    @property
    def host(self) -> str:
        return urlsplit(f"//{self.server}").hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(f"//{self.server}").port or PORTS[self.tls]

    @property
    def password(self) -> Reference:
        return Reference("its password", self.password_env, self.password_file)

    @property
    def references(self) -> tuple[Reference, ...]:
        return () if self.user is None else (self.password,)

    @model_validator(mode="after")
    def check_access(self) -> EmailChannel:
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError(f"tls = none would send mail to {self.host} in clear; only a server on this machine may")
        if self.user is not None:
            check_one(self.password, "password")
        elif self.password_env or self.password_file:
            raise ValueError("a password needs its user")
        return self


def check_names(channels: Sequence[Channel]) -> Sequence[Channel]:
    """The channels, if no two are called alike."""
    [(label, count)] = Counter(one.label for one in channels).most_common(1) or [("", 1)]
    if count > 1:
        raise ValueError(f"{count} channels are called {label!r}; give each a name of its own")
    return channels


Channel = WebhookChannel | SlackChannel | EmailChannel
Channels = Annotated[tuple[Annotated[Channel, Field(discriminator="kind")], ...], AfterValidator(check_names)]
CHANNEL_KINDS: dict[str, type[BaseModel]] = {"webhook": WebhookChannel, "slack": SlackChannel, "email": EmailChannel}
