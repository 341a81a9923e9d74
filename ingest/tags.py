"""The tags of a repository, and which of them are releases of a service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shipcast.ingest.repository import Repository, git
from shipcast.settings.errors import UsageError

VERSION = "{version}"
TAGGER = re.compile(rb"^tagger .* (-?\d+) [+-]\d+$", re.MULTILINE)
LARGEST_HEAD = 2**16  # bytes of a tag that may stand before its message


@dataclass(frozen=True)
class Tag:
    """A name that was given to a commit.

    Parameters
    ----------
    seconds
        When an annotated tag was made, since 1970 in UTC; None: it does not say.
    """

    name: str
    sha: str
    seconds: int | None


@dataclass(frozen=True)
class TagTemplate:
    """Which tags are releases, and what of their names is the version: `pay-v{version}`.

    >>> TagTemplate("pay-v{version}").version("pay-v1.2"), TagTemplate("{version}").version("v1.2")
    ('1.2', 'v1.2')
    """

    text: str

    def __post_init__(self) -> None:
        if self.text.count(VERSION) != 1:
            raise UsageError(
                f"--tags {self.text!r} does not say once where the version stands.",
                next_step=f"Put {VERSION} in its place: 'pay-v{VERSION}'.",
            )

    def version(self, tag: str) -> str | None:
        """The version in a tag's name; None: it is no release's."""
        before, _, after = self.text.partition(VERSION)
        is_one = tag.startswith(before) and tag.endswith(after) and len(tag) > len(before) + len(after)
        return tag[len(before) : len(tag) - len(after)].strip() or None if is_one else None


def tags(repository: Repository) -> Iterator[Tag]:
    """The tags that lead to a commit in this clone, in the order of their names.

    Raises
    ------
    RepositoryDamaged
        Git cannot look them up.
    """
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/tags", folder=repository.folder).stdout
    named = [line.split(b" refs/tags/", 1) for line in listed.split(b"\n") if b" refs/tags/" in line]
    names = [name.decode("ascii") for name, _ in named]
    ask = ("cat-file", "--batch-check=%(objectname) %(objecttype)")
    kinds = repository.tokens(*ask, given=names, end=b"\n")
    commits = repository.tokens(*ask, given=[f"{name}^{{commit}}" for name in names], end=b"\n")
    with repository.blobs() as objects:
        for (name, label), kind, commit in zip(named, kinds, commits, strict=True):
            sha, _, leads_to = commit.decode("utf-8", "replace").partition(" ")
            if leads_to == "commit":
                made = tagged_at(objects.content(name.decode("ascii"), b"tag")) if kind.endswith(b" tag") else None
                yield Tag(label.decode("utf-8", "backslashreplace"), sha, made)


def tagged_at(content: bytes | None) -> int | None:
    head = (content or b"")[:LARGEST_HEAD].partition(b"\n\n")[0]
    found = TAGGER.search(head)
    return int(found[1]) if found else None
