"""Messages by e-mail: plain text, handed over by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pydantic import SecretStr

from shipcast.channels.errors import ChannelRefuses, ChannelUnreachable
from shipcast.channels.notice import Notice, plain, subject, text
from shipcast.settings.channels import EmailChannel
from shipcast.settings.exchange import Untrusted, unencrypted, within
from shipcast.settings.secrets import needed

SILENCE = 15.0  # seconds for which a server may say nothing
LONGEST_SUBJECT = 150


def message_of(channel: EmailChannel, notice: Notice) -> EmailMessage:
    """The same message with each attempt: its `Message-ID` is the id, at the domain of the sender."""
    message = EmailMessage(policy=SMTP)
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.to)
    message["Subject"] = plain(f"[Shipcast] {subject(notice)}")[:LONGEST_SUBJECT]
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = f"<{notice.id}@{domain_of(channel)}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(notice), cte="quoted-printable")
    return message


def domain_of(channel: EmailChannel) -> str:
    return channel.sender.rpartition("@")[2]


def send(channel: EmailChannel, notice: Notice, now: datetime, deadline: float) -> str:
    """Hand the message over; what there is to say of it all the same: whom the server refused among several.

    Raises
    ------
    ConfigurationError
        There is no password where one is named.
    ChannelRefuses, ChannelUnreachable
        It was not taken.
    """
    password = None if channel.user is None else needed(channel.password, channel.label)
    label = channel.label
    try:
        refused = within(deadline, lambda: handed_over(channel, message_of(channel, notice), password, deadline))
    except smtplib.SMTPAuthenticationError as error:
        raise ChannelRefuses(
            f"{label}: its server refuses the user and the password ({error.smtp_code}).",
            next_step="Correct them, or make a new password.",
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise ChannelRefuses(
            f"{label}: its server cannot do what is asked of it (tls = {channel.tls}"
            f"{', a user and a password' if password else ''}); nothing was sent to it.",
            next_step="Correct tls, user or the port of server.",
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        raise unwilling(label, "all recipients", codes[0]) from None
    except smtplib.SMTPResponseException as error:
        raise unwilling(label, "the message", error.smtp_code) from None
    except ssl.SSLError as error:
        why = unencrypted(error)
        advice = why.advice if isinstance(why, Untrusted) else "See whether the server can be reached, and its port."
        raise ChannelUnreachable(f"{label}: its server: {why.reason}.", next_step=advice) from None
    except TimeoutError:
        raise ChannelUnreachable(f"{label}: its server did not answer in time.") from None
    except (OSError, smtplib.SMTPException):
        raise ChannelUnreachable(
            f"{label}: the connection to its server was refused, or broke off.",
            next_step="See whether the server can be reached, and its port.",
        ) from None
    except ValueError:
        raise ChannelRefuses(
            f"{label}: its server asks for a proof that cannot be given, or the user is not of plain letters.",
            next_step="See whether user is right, and whether the server takes a user and a password.",
        ) from None
    return f"{refused} of {len(channel.to)} recipients were refused" if refused else ""


def unwilling(label: str, what: str, code: int) -> ChannelRefuses | ChannelUnreachable:
    """What a reply means: one of the kind 4yz may be another the next time."""
    kind = ChannelRefuses if code >= 500 else ChannelUnreachable
    return kind(f"{label}: its server refuses {what} ({code}).", next_step="See whether sender and to are right.")


def handed_over(channel: EmailChannel, message: EmailMessage, password: SecretStr | None, deadline: float) -> int:
    """How many of the recipients were refused, where the message was taken for others."""
    context, silence = ssl.create_default_context(), min(SILENCE, deadline)
    hello = domain_of(channel)  # a name for ourselves that needs no look-up
    if channel.tls == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(channel.host, channel.port, hello, timeout=silence, context=context)
    else:
        server = smtplib.SMTP(channel.host, channel.port, hello, timeout=silence)
    try:
        if channel.tls == "starttls":
            server.starttls(context=context)
        if channel.user is not None and password is not None:
            server.login(channel.user, password.get_secret_value())
        return len(server.send_message(message))
    finally:
        with suppress(OSError, smtplib.SMTPException):  # how it says goodbye changes nothing of what it took
            server.quit()
        server.close()


def shown(channel: EmailChannel, notice: Notice) -> str:
    message = message_of(channel, notice)
    names = ("From", "To", "Subject", "Message-ID")
    return "\n".join([*(f"{name}: {message[name]}" for name in names), "", text(notice)])
