"""The change that somebody wants to ship, as the models see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A change of one service. Null: not said, so taken as typical of the service.

    Parameters
    ----------
    service, team
        What is changed, and whose it is; a service without a team learns from the whole company only.
    zone
        The IANA zone on whose clock the service's week runs.
    lines, files
        Lines added and deleted; files touched.
    change_type
        The company's word: standard, normal, emergency.
    commits, authors, bot_commits
        Commits, the people who wrote them, and how many of them bots wrote.
    """

    service: str
    team: str | None
    zone: str
    lines: int | None = None
    files: int | None = None
    change_type: str | None = None
    commits: int | None = None
    authors: int | None = None
    bot_commits: int | None = None
