"""Small git repositories, written in one stream so that they cost no process per commit."""

import subprocess
from datetime import UTC, datetime

START = datetime(2024, 1, 1, tzinfo=UTC)


def seconds(at):
    return int(at.timestamp()) if isinstance(at, datetime) else int(START.timestamp()) + 60 * at


class History:
    """A repository and what is to be written into it; `save` writes, and may be called again.

    Times are datetimes, or minutes after the beginning of 2024.
    """

    def __init__(self, path, *, object_format="sha1"):
        self.path = path
        self.tips = {}
        self.count = 0
        self.stream = []
        git("init", "--quiet", "--bare", f"--object-format={object_format}", "--initial-branch=main", str(path))

    def commit(
        self, files, at=None, *, onto="main", parents=None, by="Ada <ada@example.org>", message="change", **more
    ):
        """A commit on the branch `onto` that changes the files (None: deletes); its mark.

        `parents` are marks, the first of them what the files are changed from; default: the branch's newest commit.
        """
        self.count += 1
        when = seconds(self.count if at is None else at)
        authored = seconds(more["authored"]) if "authored" in more else when
        parents = ([self.tips[onto]] if onto in self.tips else []) if parents is None else parents
        text = message if isinstance(message, bytes) else message.encode()
        lines = [f"commit refs/heads/{onto}", f"mark :{self.count}"]
        raw = [line.encode() for line in lines]
        name = by if isinstance(by, bytes) else by.encode()
        raw += [b"author " + name + b" %d +0000" % authored, b"committer " + name + b" %d +0000" % when]
        raw += [b"encoding " + more["encoding"].encode()] if "encoding" in more else []
        raw += [b"data %d" % len(text), text]
        raw += [(b"merge" if place else b"from") + b" :%d" % mark for place, mark in enumerate(parents)]
        for path, content in files.items():
            quoted = b'"' + (path if isinstance(path, bytes) else path.encode()).replace(b'"', rb"\"") + b'"'
            if content is None:
                raw.append(b"D " + quoted)
            else:
                data = content if isinstance(content, bytes) else content.encode()
                raw += [b"M 100644 inline " + quoted, b"data %d" % len(data), data]
        self.stream += [*raw, b""]
        self.tips[onto] = self.count
        return self.count

    def tag(self, name, mark, at=None):
        """A name for a commit; with a time an annotated one. A name that was given before moves."""
        if at is None:
            self.stream += [f"reset refs/tags/{name}".encode(), b"from :%d" % mark, b""]
        else:
            tagger = b"tagger Ada <ada@example.org> %d +0000" % seconds(at)
            self.stream += [f"tag {name}".encode(), b"from :%d" % mark, tagger, b"data 0", b""]

    def save(self, *arguments):
        """Write what was added since the last time; the path."""
        marks = self.path / "marks"
        told = ("fast-import", "--quiet", "--force", f"--import-marks-if-exists={marks}", f"--export-marks={marks}")
        if self.stream:
            git(*told, *arguments, at=self.path, given=b"\n".join(self.stream) + b"\n")
        self.stream = []
        return self.path

    def sha(self, mark):
        """The name of a saved commit."""
        lines = (self.path / "marks").read_text().split("\n")
        return next(line.split()[1] for line in lines if line.startswith(f":{mark} "))


def git(*arguments, at=None, given=None):
    """What a git command said."""
    environ = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(["git", *arguments], cwd=at, input=given, capture_output=True, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout
