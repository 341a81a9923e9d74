"""Secrets by reference: a variable or a file that holds one. What is read is shown nowhere, not even in a trace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from shipcast.settings.errors import ConfigurationError

LONGEST = 64 * 1024  # bytes


class Reference(NamedTuple):
    """Where a secret is to be found: in a variable, or in a file.

    Parameters
    ----------
    what
        What it is to whom needs it, such as "its password".
    """

    what: str
    variable: str | None
    file: Path | None


def needed(reference: Reference, whose: str) -> SecretStr:
    """The secret that a reference leads to.

    Raises
    ------
    ConfigurationError
        It is not there, or is none.
    """
    found = secret(reference.variable, reference.file, f"{whose}, {reference.what}")
    if found is None:
        raise ConfigurationError(
            f"{whose}, {reference.what}: the variable {reference.variable} is not set.",
            next_step=f"export {reference.variable}=...",
        )
    return found


def secret(
    variable: str | None, file: Path | None, what: str, environ: Mapping[str, str] | None = None
) -> SecretStr | None:
    """What the file holds, else the variable; None: neither is there. Surrounding white space is left out.

    Parameters
    ----------
    what
        Whose it is, for messages.

    Raises
    ------
    ConfigurationError
        The file cannot be read, or what was found is empty or could not stand in a header. It is not repeated.
    """
    if file is not None:
        return checked(read(file, what), f"{what}: {file}")
    given = (os.environ if environ is None else environ).get(variable or "")
    return None if given is None else checked(given, f"{what}: the variable {variable}")


def is_set(variable: str) -> bool:
    return variable in os.environ


def read(file: Path, what: str) -> str:
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise ConfigurationError(f"{what}: {file} is too large for a secret.")
        return content.decode("ascii")
    except OSError as error:
        raise ConfigurationError(
            f"{what}: the file {file} cannot be read: {error.strerror}.",
            next_step="Correct the name of the file, or its rights.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what}: {file} holds bytes that no secret has.") from None


def checked(text: str, where: str) -> SecretStr:
    text = text.strip()
    if not text:
        raise ConfigurationError(f"{where} is empty.", next_step="Put the secret there.")
    if not text.isascii() or not text.isprintable():
        raise ConfigurationError(f"{where} holds characters that no secret has.", next_step="Copy it anew.")
    return SecretStr(text)
