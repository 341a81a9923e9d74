"""Reading repositories: whatever lies in them, nothing of it is run, fetched or mistaken."""

import shutil

import pytest
from histories import History, git

from shipcast.ingest.errors import GitNotInstalled, NothingToLoad, RepositoryDamaged
from shipcast.ingest.repository import opened


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "repository")


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def mainline(path, home, **options):
    """(message-free commit, its changed paths and their contents), oldest first."""
    with opened(path, home) as repository, repository.blobs() as blobs:
        return [
            (commit.sha, {file.path: file.after and blobs.content(file.after) for file in commit.files})
            for commit in repository.mainline(repository.tip(), **options)
        ]


def test_a_merge_shows_what_it_brought_and_side_commits_do_not_show(history, home):
    history.commit({"a": "1"})
    side = history.commit({"a": "2"}, onto="side", parents=[1])
    history.commit({"b": "1"})
    history.commit({"a": "2"}, parents=[3, side])
    path = history.save()

    assert [files for _, files in mainline(path, home)] == [{b"a": b"1"}, {b"b": b"1"}, {b"a": b"2"}]


def test_an_octopus_is_compared_with_its_first_parent(history, home):
    history.commit({"a": "1"})
    sides = [history.commit({name: "1"}, onto=name, parents=[1]) for name in ("x", "y", "z")]
    history.commit({"x": "1", "y": "1", "z": "1"}, parents=[1, *sides])
    path = history.save()

    assert mainline(path, home)[-1][1] == {b"x": b"1", b"y": b"1", b"z": b"1"}


def test_only_what_lies_after_a_commit_and_matches_the_paths_is_read(history, home):
    history.commit({"env/a": "1", "other/a": "1"})
    history.commit({"env/a": "2"})
    history.commit({"other/a": "2", "env/deep/er": "1"})
    history.commit({"env/b": "1"})
    path = history.save()

    assert [files for _, files in mainline(path, home, since=history.sha(1), paths=["env/*"])] == [
        {b"env/a": b"2"},
        {b"env/b": b"1"},
    ]


def test_names_that_are_no_text_and_authors_in_old_encodings_come_through(history, home):
    latin = "J\u00fcrgen <j@example.org>".encode("latin-1")
    history.commit({b"env/caf\xe9 \x09": b"\xff\x00"}, by=latin, encoding="ISO-8859-1")
    path = history.save()

    with opened(path, home) as repository:
        (commit,) = repository.mainline(repository.tip())

    assert (commit.author, commit.mail) == ("Jürgen", "j@example.org")
    assert mainline(path, home)[0][1] == {b"env/caf\xe9 \x09": b"\xff\x00"}


def test_a_deleted_and_a_renamed_file(history, home):
    history.commit({"a": "1", "b": "1"})
    history.commit({"a": None})
    history.commit({"b": None, "c": "1"})

    assert [files for _, files in mainline(history.save(), home)][1:] == [{b"a": None}, {b"b": None, b"c": b"1"}]


def test_the_line_passes_through_its_own_commits_only(history, home):
    history.commit({"a": "1"})
    side = history.commit({"a": "2"}, onto="side", parents=[1])
    history.commit({"b": "1"})
    history.commit({"a": "2"}, parents=[3, side])
    path = history.save()

    with opened(path, home) as repository:
        tip = repository.tip()
        passed = {mark: repository.is_on_mainline(history.sha(mark), tip) for mark in (1, 2, 3, 4)}

        assert passed == {1: True, 2: False, 3: True, 4: True}
        assert not repository.is_on_mainline("1" * 40, tip)
        assert not repository.is_on_mainline(tip, history.sha(3))


def test_a_shallow_clone_names_the_commits_at_which_it_begins(history, home, tmp_path):
    for number in range(3):
        history.commit({"a": str(number)})
    path = history.save()
    git("clone", "--quiet", "--bare", "--depth=2", f"file://{path}", str(tmp_path / "shallow"))

    with opened(tmp_path / "shallow", home) as repository:
        shas = [commit.sha for commit in repository.mainline(repository.tip())]

        assert repository.boundary == (history.sha(2),)
        assert shas == [history.sha(2), history.sha(3)]


def test_contents_that_a_partial_clone_lacks_are_missing_and_not_fetched(history, home, tmp_path):
    history.commit({"a": "1"})
    path = history.save()
    git("config", "uploadpack.allowFilter", "true", at=path)
    git("clone", "--quiet", "--bare", "--filter=blob:none", f"file://{path}", str(tmp_path / "partial"))

    assert mainline(tmp_path / "partial", home) == [(history.sha(1), {b"a": None})]


def test_a_missing_tree_is_told_in_words(history, home):
    history.commit({"folder/a": "1"})
    path = history.save()
    git("repack", "-a", "-d", "-q", at=path)
    (pack,) = (path / "objects" / "pack").glob("*.pack")
    data = pack.read_bytes()
    shutil.rmtree(path / "objects" / "pack")
    git("unpack-objects", "-q", at=path, given=data)
    tree = git("rev-parse", "main^{tree}", at=path).decode().strip()
    (path / "objects" / tree[:2] / tree[2:]).unlink()

    with pytest.raises(RepositoryDamaged, match="cannot read its history to the end"):
        mainline(path, home)


def test_nothing_that_a_repository_configures_is_run(history, home, tmp_path):
    witness = tmp_path / "witness"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    program.chmod(0o755)
    history.commit({".gitattributes": "* diff=evil filter=evil\n", "a": "1"})
    history.commit({"a": "2"})
    path = history.save()
    for key in ("core.fsmonitor", "core.pager", "diff.external", "diff.evil.textconv", "diff.evil.command",
                "filter.evil.smudge", "gpg.program", "core.alternateRefsCommand", "core.sshCommand"):  # fmt: skip
        git("config", key, str(program), at=path)
    git("config", "log.showSignature", "true", at=path)
    git("config", "diff.renames", "true", at=path)

    assert [files for _, files in mainline(path, home)][1] == {b"a": b"2"}
    assert not witness.exists()


def test_a_work_tree_a_git_folder_and_a_linked_work_tree_are_the_same_history(history, home, tmp_path):
    history.commit({"a": "1"})
    path = history.save()
    git("clone", "--quiet", str(path), str(tmp_path / "tree"))
    git("worktree", "add", "--quiet", "--detach", str(tmp_path / 'linked "tree"'), at=tmp_path / "tree")

    for place in (tmp_path / "tree", tmp_path / "tree" / ".git", tmp_path / 'linked "tree"', path):
        assert mainline(place, home) == [(history.sha(1), {b"a": b"1"})]


def test_names_of_sha_256_are_read_as_well(tmp_path, home):
    history = History(tmp_path / "long", object_format="sha256")
    history.commit({"a": "1"})

    ((sha, files),) = mainline(history.save(), home)

    assert (len(sha), files) == (64, {b"a": b"1"})


@pytest.mark.parametrize("name", ["missing", "plain", "-c core.pager=x", "nul\0byte"])
def test_what_is_no_repository_is_said(name, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").mkdir()

    with pytest.raises(NothingToLoad), opened(tmp_path.joinpath(name).relative_to(tmp_path), home):
        pass


def test_a_branch_that_is_not_there_or_looks_like_an_option_is_said(history, home):
    history.commit({"a": "1"})

    with opened(history.save(), home) as repository:
        for name in ("nowhere", "--all", "-n1"):
            with pytest.raises(NothingToLoad, match="has no branch or commit"):
                repository.tip(name)


def test_a_repository_without_a_commit_is_said(history, home):
    with opened(history.path, home) as repository, pytest.raises(NothingToLoad, match="no commit"):
        repository.tip()


def test_without_git_it_says_what_to_install(history, home, monkeypatch):
    history.commit({"a": "1"})
    path = history.save()
    monkeypatch.setenv("PATH", str(home))

    with pytest.raises(GitNotInstalled, match="Install git"), opened(path, home):
        pass
