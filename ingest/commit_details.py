"""What single commits say and how large they are, as far as the objects for it are in the clone.

A commit's size takes the contents of its files (blobs), their number only the lists of names (trees). A clone may lack
either, everywhere (`--filter=blob:none`, `--filter=tree:0`) or here and there: what cannot be told stays unknown, and
the next commit is asked about in full again, until a hundred have failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shipcast.ingest.errors import RepositoryDamaged
from shipcast.ingest.repository import Repository

FORMAT = "%x01%H%x01%at%x01%ct%x01%ae%x01%an%n%B"  # names end at the line's end, messages at the NUL
FILES = ("diff-tree", "--stdin", "-z", "-r", "--root", "--always", "--no-renames", "--no-ext-diff", "--no-textconv")
ALONE = ("log", "--stdin", "-z", "--no-walk=unsorted", "--no-show-signature", "--no-patch")
LEVELS = ((*FILES, "--numstat"), (*FILES, "--raw"), ALONE)  # lines and files, files alone, neither
PATIENCE = 100


@dataclass(slots=True)
class Detail:
    """One commit against its first parent; renames count as a deletion and an addition.

    Parameters
    ----------
    authored, committed
        Seconds since 1970 in UTC, as the commit says, however unlikely.
    added, deleted
        Lines, none of them of binary files; None: not known.
    files
        Files changed; None: not known.
    """

    sha: str
    author: str
    mail: str
    authored: int
    committed: int
    message: str
    added: int | None = None
    deleted: int | None = None
    files: int | None = None

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


def details(repository: Repository, shas: Sequence[str], paths: Sequence[str] = (), level: int = 0) -> Iterator[Detail]:
    """What the commits say and how large they are, in the order given.

    Parameters
    ----------
    paths
        Glob patterns from the repository's top; what lies elsewhere counts for nothing.
    level
        From which of `LEVELS` on it is tried.

    Raises
    ------
    RepositoryDamaged
        A commit itself is missing.
    """
    left, failures = shas, 0
    while left:
        told = 0
        try:
            for detail in told_by_git(repository, left, paths, level):
                yield detail
                told += 1
        except RepositoryDamaged:
            if level == len(LEVELS) - 1:
                raise
            failures += 1
        left = left[told:]
        less = left[:1] if failures < PATIENCE else left
        yield from details(repository, less, paths, level + 1)
        left = left[len(less) :]


def told_by_git(repository: Repository, shas: Sequence[str], paths: Sequence[str], level: int) -> Iterator[Detail]:
    """The same at one level of detail, up to the first commit for which objects are missing."""
    wanted = [f":(top,glob){path}" for path in paths] if LEVELS[level] != ALONE else []
    tokens = repository.tokens(*LEVELS[level], "--encoding=UTF-8", f"--format={FORMAT}", "--", *wanted, given=shas)
    detail: Detail | None = None
    for token in tokens:
        if token.startswith(b"\1"):
            if detail:
                yield detail
            detail = headed(token, level)
        elif detail:
            measure(detail, token.lstrip(b"\n"))
            if level:
                next(tokens)  # the path, which may look like anything
    if detail:
        yield detail


def headed(token: bytes, level: int) -> Detail:
    head, _, message = token.decode("utf-8", "replace").partition("\n")
    _, sha, authored, committed, mail, author = head.split("\1", 5)
    lines, files = (0 if level < 1 else None), (0 if level < 2 else None)
    return Detail(sha, author, mail, int(authored or 0), int(committed or 0), message, lines, lines, files)


def measure(detail: Detail, token: bytes) -> None:
    """Count one file in; git gives no lines of binary ones."""
    if detail.files is not None:
        detail.files += 1
    if detail.added is not None and detail.deleted is not None:
        added, deleted, _ = token.split(b"\t", 2)
        detail.added += int(added) if added != b"-" else 0
        detail.deleted += int(deleted) if deleted != b"-" else 0
