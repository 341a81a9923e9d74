"""What a commit's message says it takes back."""

from __future__ import annotations

import re

COMMIT = re.compile(r"\bTh(?:is|ese) reverts? commits? ((?:[0-9a-f]{7,64}(?:,\s*|\s+and\s+|\s+)?)+)")
NAME = re.compile(r"[0-9a-f]{7,64}")
ALSO = re.compile(r"^(?:and|also) (?:reverts )?commit ([0-9a-f]{7,64})\b", re.MULTILINE)
SUBJECT = re.compile(r'Revert "(.*)"(?: \(#\d+\))?\s*')


def is_revert(message: str) -> bool:
    """Whether the message says that something is taken back, whatever it is.

    >>> is_revert('Revert "Turn it on" (#12)'), is_revert("Revert to the old colours")
    (True, False)
    """
    return bool(reverted_commits(message)) or reverted_subject(message) is not None


def reverted_commits(message: str) -> list[str]:
    """The names, perhaps cut short, of the commits that the message names as reverted.

    >>> reverted_commits("Back\\n\\nThis reverts commit 1f2e3d4c, reversing\\nchanges made to 5566778.")
    ['1f2e3d4c']
    """
    found = [name for names in COMMIT.findall(message) for name in NAME.findall(names)]
    return list(dict.fromkeys([*found, *(ALSO.findall(message) if found else [])]))


def reverted_subject(message: str) -> str | None:
    """The subject of the commit that is reverted; None: the message quotes none.

    >>> reverted_subject('Revert "Revert "Turn it on" (#12)" (#13)')
    'Revert "Turn it on" (#12)'
    """
    found = SUBJECT.fullmatch(message.partition("\n")[0])
    return found[1] if found else None
