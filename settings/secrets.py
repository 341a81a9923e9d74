"""Secrets by reference: a variable or a file that holds one. What is read is shown nowhere, not even in a trace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from shipcast.settings.errors import ConfigurationError

LONGEST = 64 * 1024  # bytes


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


def read(file: Path, what: str) -> str:
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise ConfigurationError(f"{what}: {file} is too large for a secret.")
        return content.decode("ascii")
    except OSError as error:
        raise ConfigurationError(
            f"{what}: the file {file} cannot be read: {error.strerror}.", next_step="Correct token_file, or its rights."
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what}: {file} holds bytes that no token has.") from None


def checked(text: str, where: str) -> SecretStr:
    text = text.strip()
    if not text:
        raise ConfigurationError(f"{where} is empty.", next_step="Put the token there.")
    if not text.isascii() or not text.isprintable():
        raise ConfigurationError(f"{where} holds characters that no token has.", next_step="Copy the token anew.")
    return SecretStr(text)
