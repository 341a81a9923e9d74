"""A git repository, read through git's own commands as streams; nothing of it is executed, fetched or changed.

The objects are read from a folder of our own that points at the repository's and has a configuration of our own, so
that no setting, filter, signature check, replacement or promise of the repository takes part. A shallow clone brings
the list of commits at which its history ends; objects that are not there stay missing.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from shipcast.ingest.errors import GitNotInstalled, NothingToLoad, RepositoryDamaged
from shipcast.ingest.sources import shown

CHUNK = 2**18  # bytes
LARGEST_BLOB = 4 * 2**20  # bytes; no file that names versions is larger
MINE = """\
[core]
    repositoryFormatVersion = {version}
    bare = true
    fsmonitor = false
    hooksPath = /dev/null
    packedGitLimit = 128m
    packedGitWindowSize = 8m
    deltaBaseCacheLimit = 32m
{extensions}"""
HEADER = "%x01%H%x01%P%x01%at%x01%ct%x01%ae%x01%an"  # names last: they may hold any character
REGULAR = "100"  # how the modes of files begin; others are links and submodules


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of one commit against its first parent; renames show as a deletion and an addition.

    Parameters
    ----------
    path
        From the repository's top, as bytes: git knows no encoding of names.
    before, after
        The names of the blobs; None: there was, or is, no file (links and submodules are none).
    """

    path: bytes
    before: str | None
    after: str | None


@dataclass(slots=True)
class Commit:
    """One commit and the files in it that were asked for.

    Parameters
    ----------
    parents
        Empty for a first commit, and where a shallow clone's history begins.
    authored, committed
        Seconds since 1970 in UTC, as the commit says, however unlikely.
    """

    sha: str
    parents: tuple[str, ...]
    author: str
    mail: str
    authored: int
    committed: int
    files: list[FileChange] = field(default_factory=list)


class Blobs:
    """Contents of files (and of other objects) by the names of their blobs, from one process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self.asked: IO[bytes] = process.stdin
        self.told: IO[bytes] = process.stdout

    def content(self, name: str, wanted: bytes = b"blob") -> bytes | None:
        """The blob's bytes; None where the repository lacks it, or it is no blob, or larger than 4 MiB.

        Parameters
        ----------
        wanted
            The kind of the object, if it is another than a blob.

        Raises
        ------
        BrokenPipeError
            Git has given up, as on a damaged object.
        """
        self.asked.write(name.encode() + b"\n")
        self.asked.flush()
        answer = self.told.readline().split()
        if not answer:
            raise BrokenPipeError
        if len(answer) != 3:
            return None
        kind, size = answer[1], int(answer[2])
        if kind != wanted or size > LARGEST_BLOB:
            self.skip(size + 1)
            return None
        return self.told.read(size + 1)[:size]

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.told.read(min(size, CHUNK)))


@dataclass(frozen=True)
class Repository:
    """A repository that was found and can be read.

    Parameters
    ----------
    path
        As it was given.
    folder
        Its git folder (`.git`, or the path itself).
    mirror
        Our own git folder that points at its objects.
    boundary
        The commits at which a shallow clone's history begins; empty for a whole one.
    """

    path: Path
    folder: Path
    mirror: Path
    boundary: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its name in messages."""
        return shown(self.path)

    @property
    def name(self) -> str:
        """The name under which the database knows it."""
        return shown(self.path.absolute())

    def tip(self, branch: str | None = None) -> str:
        """The newest commit of a branch (or of anything that names a commit); default: of HEAD.

        Raises
        ------
        NothingToLoad
            There is no such branch, or no commit yet.
        """
        wanted = branch or "HEAD"
        found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{wanted}^{{commit}}", folder=self.folder)
        if found.returncode:
            what = f"has no branch or commit {branch!r}" if branch else "has no commit that HEAD leads to"
            raise NothingToLoad(
                f"{self.label} {what}.", next_step="Name a branch that it has with --branch (git branch --all)."
            )
        return found.stdout.decode("ascii").strip()

    def tokens(self, *arguments: str, given: Iterable[str] = (), end: bytes = b"\0") -> Generator[bytes]:
        """What a git command says, cut at NUL bytes (or another `end`), while it still runs.

        Parameters
        ----------
        arguments
            The command and its arguments; give `--end-of-options` before anything a user named.
        given
            Lines for its standard input.

        Raises
        ------
        RepositoryDamaged
            The command failed: usually an object that is missing or damaged.
        """
        with tempfile.TemporaryFile() as lines, tempfile.TemporaryFile() as said:
            lines.writelines(line.encode() + b"\n" for line in given)
            lines.seek(0)
            with running(self.mirror, *arguments, stdin=lines, stderr=said) as process:
                assert process.stdout
                rest = yield from cut(process.stdout, end)
                failed = process.wait() != 0
            if failed:
                raise self.damaged(said)
            if rest:
                yield rest

    def damaged(self, said: IO[bytes]) -> RepositoryDamaged:
        said.seek(0)
        words = said.read(2000).decode("utf-8", "replace").strip().splitlines() or ["git says nothing about it"]
        return RepositoryDamaged(
            f"{self.label}: git cannot read its history to the end: {words[0].removeprefix('fatal: ')[:200]}. "
            "Nothing was stored.",
            next_step="Clone it again with all objects (no --filter), or check it with git fsck.",
            repository=self.label,
        )

    def mainline(self, tip: str, since: str | None = None, paths: Sequence[str] = ()) -> Iterator[Commit]:
        """The commits of the first-parent line that touch the paths, oldest first.

        Each is compared with its first parent, so that a merge shows what it brought onto the line, with its own date.

        Parameters
        ----------
        since
            Leave out this commit and what lies before it.
        paths
            Glob patterns from the repository's top, in which `*` stays within one folder; none: all files.
        """
        span = [tip] if since is None else [tip, f"^{since}"]
        arguments = ["log", "-z", "--reverse", "--first-parent", "--diff-merges=first-parent", "--root", "--raw"]
        arguments += ["--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-show-signature"]
        arguments += ["--encoding=UTF-8", f"--format={HEADER}", "--end-of-options", *span, "--"]
        return commits(self.tokens(*arguments, *(f":(top,glob){path}" for path in paths)))

    def oldest(self, tip: str) -> Commit:
        """The first commit of the first-parent line."""
        arguments = ["log", "-z", "--reverse", "--first-parent", "--no-show-signature", "--encoding=UTF-8"]
        tokens = self.tokens(*arguments, f"--format={HEADER}", "--end-of-options", tip, "--")
        try:
            return headed(next(tokens))
        finally:
            tokens.close()

    def is_on_mainline(self, commit: str, tip: str) -> bool:
        """Whether the first-parent line of `tip` passes through `commit`."""
        if commit == tip:
            return True
        known = git("cat-file", "-e", f"{commit}^{{commit}}", folder=self.mirror)
        if known.returncode:
            return False
        # The line leaves what `commit` leads to exactly once; the commit below that place must be this one.
        last = b""
        for token in self.tokens("log", "-z", "--first-parent", "--format=%P", tip, f"^{commit}", "--"):
            last = token
        return last.split()[:1] == [commit.encode()]

    @contextmanager
    def blobs(self) -> Iterator[Blobs]:
        """The contents of files, from one process that ends with the block."""
        with (
            tempfile.TemporaryFile() as said,
            running(self.mirror, "cat-file", "--batch", stdin=subprocess.PIPE, stderr=said) as process,
        ):
            try:
                yield Blobs(process)
            except BrokenPipeError as error:
                process.wait()
                raise self.damaged(said) from error


@contextmanager
def opened(path: Path, home: Path) -> Iterator[Repository]:
    """The repository at a path: a work tree, a bare repository or a git folder.

    Parameters
    ----------
    home
        Where our own git folder is put; it is removed at the end.

    Raises
    ------
    NothingToLoad
        There is nothing at the path, or no repository.
    GitNotInstalled
        There is no `git` command.
    """
    folder, objects = found(path)
    with tempfile.TemporaryDirectory(prefix="git-", dir=home) as own:
        mirror = Path(own)
        boundary = point_at(objects, mirror)
        yield Repository(path, folder, mirror, boundary)


def found(path: Path) -> tuple[Path, Path]:
    """The git folder at a path, and the folder of its objects, both absolute."""
    try:
        exists = path.exists()
        inner = path / ".git"
        folder = (inner if inner.exists() else path).absolute()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise NothingToLoad(
            f"{shown(path)}: there is no such folder.", next_step="Give the folder of a git repository."
        )
    answer = git("rev-parse", "--path-format=absolute", "--git-path", "objects", folder=folder)
    objects = Path(answer.stdout.decode("utf-8", "surrogateescape").rstrip("\n"))
    if answer.returncode or not objects.is_dir():
        raise NothingToLoad(
            f"{shown(path)} is not a git repository.",
            next_step="Give the top folder of a clone, or a bare repository.",
        )
    return folder, objects


def point_at(objects: Path, mirror: Path) -> tuple[str, ...]:
    """Make a git folder of our own that reads the given objects; the commits at which a shallow history ends."""
    listed = objects.parent / "shallow"
    boundary = tuple(sorted(listed.read_text("ascii").split())) if listed.is_file() else ()
    is_long = git("rev-parse", "--show-object-format", folder=objects.parent).stdout.strip() == b"sha256"
    (mirror / "objects" / "info").mkdir(parents=True)
    (mirror / "refs").mkdir()
    (mirror / "HEAD").write_text("ref: refs/heads/none\n")
    extensions = "[extensions]\n    objectFormat = sha256\n" if is_long else ""
    (mirror / "config").write_text(MINE.format(version=int(is_long), extensions=extensions))
    (mirror / "objects" / "info" / "alternates").write_bytes(quoted(objects))
    if boundary:
        (mirror / "shallow").write_text("".join(f"{sha}\n" for sha in boundary))
    return boundary


def quoted(path: Path) -> bytes:
    """A path as a line of git's list of alternates: in C quotes, since it may begin with any character."""
    plain = str(path).encode("utf-8", "surrogateescape")
    escaped = plain.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"\n'


def git(*arguments: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """A git command with a short answer, run to its end."""
    return subprocess.run(
        command(folder, *arguments), env=surroundings(), cwd="/", stdin=subprocess.DEVNULL, capture_output=True
    )


@contextmanager
def running(
    folder: Path, *arguments: str, stdin: int | IO[bytes], stderr: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A git command whose answer is read while it runs; it does not outlive the block."""
    process = subprocess.Popen(
        command(folder, *arguments), env=surroundings(), cwd="/", stdin=stdin, stdout=subprocess.PIPE, stderr=stderr
    )
    try:
        yield process
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout):
            # What could not be written any more is of no use to a process that has ended.
            with suppress(BrokenPipeError):
                if stream:
                    stream.close()
        process.wait()


def command(folder: Path, *arguments: str) -> list[str]:
    program = shutil.which("git")
    if program is None:
        raise GitNotInstalled(
            "There is no git command, and repositories are read through it.",
            next_step="Install git and see that it is on the PATH (git --version).",
        )
    safe = ["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "protocol.allow=never"]
    return [program, "--no-pager", "--no-replace-objects", f"--git-dir={folder}", *safe, *arguments]


def surroundings() -> dict[str, str]:
    """The environment of a git command: nothing of the user's, so that no variable or file of theirs takes part."""
    return {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }


def cut(stream: IO[bytes], end: bytes = b"\0") -> Generator[bytes, None, bytes]:
    """The stretches between NUL bytes, or other ends; returns what follows the last one, which may be broken off."""
    rest = b""
    while chunk := stream.read(CHUNK):
        *whole, rest = (rest + chunk).split(end)
        yield from whole
    return rest


def commits(tokens: Iterator[bytes]) -> Iterator[Commit]:
    """The commits in the answer of `git log -z --raw` with our header."""
    commit: Commit | None = None
    for token in tokens:
        if token.startswith(b"\1"):
            if commit:
                yield commit
            commit = headed(token)
        elif commit and (meta := token.lstrip(b"\n")).startswith(b":"):
            modes, names = (meta.decode("ascii").split(" ")[start : start + 2] for start in (0, 2))
            before, after = (present(name, mode) for name, mode in zip(names, modes, strict=True))
            commit.files.append(FileChange(next(tokens), before, after))
    if commit:
        yield commit


def headed(token: bytes) -> Commit:
    _, sha, parents, authored, committed, mail, author = token.decode("utf-8", "replace").split("\1", 6)
    return Commit(sha, tuple(parents.split()), author, mail, int(authored or 0), int(committed or 0))


def present(name: str, mode: str) -> str | None:
    return name if mode.lstrip(":").startswith(REGULAR) else None
