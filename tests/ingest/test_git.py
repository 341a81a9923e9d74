"""Changes and releases from the history of code: what counts as one, what holds what, and reading on."""

import shutil
from datetime import UTC, datetime

import pytest
from examples import examples
from histories import History, git
from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.ingest.errors import NothingToLoad, RepositoryDamaged
from shipcast.ingest.git import ingest_git
from shipcast.settings import GitSource, Settings
from shipcast.settings.errors import UsageError
from shipcast.warehouse.connection import WORK_FILE, open_beside
from shipcast.warehouse.lock import run_lock


class Bench:
    """A repository of the service `pay`, and the home that it is loaded into."""

    def __init__(self, folder):
        self.history = History(folder / "pay")
        self.folder = folder
        self.home = folder / "home"

    def load(self, path=None, *, home=None, strict=False, dry_run=False, **options):
        source = GitSource(path=path or self.history.save(), **{"service": "pay", **options})
        home = Settings(home=home or self.home)
        with run_lock(home.home, "test"):
            return ingest_git(home, source, strict=strict, dry_run=dry_run)

    def rows(self, query, home=None):
        with open_beside((home or self.home) / WORK_FILE) as connection:
            return connection.execute(query).fetchall()

    def change(self, mark):
        return f"pay-{self.history.sha(mark)[:12]}"

    def changes(self, columns):
        """The columns of each change, by its mark; that of a single column alone."""
        marks = {self.change(mark): mark for mark in range(1, self.history.count + 1)}
        rows = self.rows(f"select change_id, {columns} from raw.changes")
        return {marks[name]: values[0] if len(values) == 1 else values for name, *values in rows}

    def releases(self, kind="tag"):
        return dict(self.rows(f"select version, position from raw.releases where kind = '{kind}'"))

    def reverts(self):
        """The marks of what each revert takes back, by its own mark."""
        marks = {self.change(mark): mark for mark in range(1, self.history.count + 1)}
        found = self.rows("select change_id, reverts from raw.changes where is_revert")
        return {marks[name]: [marks[other] for other in others or []] for name, others in found}

    def clone(self, name, *arguments):
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        git("clone", "--quiet", "--bare", *arguments, f"file://{self.history.save()}", str(path))
        return path


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def counts(report):
    return {item.file.removeprefix("pay: "): (item.read, item.inserted, item.updated) for item in report.items}


def test_a_change_says_when_it_was_written_and_when_a_merge_brought_it_and_how_large_it_is(bench):
    bench.history.commit({"a": "1\n"}, at=0)
    side = bench.history.commit({"a": "2\n3\n", "b": "x\n"}, at=60, authored=30, onto="side", parents=[1])
    bench.history.commit({"b": "x\n", "a": "2\n3\n"}, at=90, parents=[1, side])
    bench.load()

    assert bench.changes(
        "authored_at::varchar, merged_at::varchar, lines_added, lines_deleted, files_changed, position"
    ) == {
        1: ["2024-01-01 00:00:00", "2024-01-01 00:00:00", 1, 0, 1, 1],
        side: ["2024-01-01 00:30:00", "2024-01-01 01:30:00", 3, 1, 2, 2],
    }


def test_a_merge_is_no_change_and_a_squashed_commit_is_one(bench):
    bench.history.commit({"a": "1"})
    side = bench.history.commit({"b": "1"}, onto="side", parents=[1])
    merge = bench.history.commit({"b": "1"}, parents=[1, side])
    squashed = bench.history.commit({"c": "1"}, message="Pay in euros (#12)")
    empty = bench.history.commit({})
    bench.load()

    assert bench.changes("position") == {1: 1, side: 2, squashed: 3, empty: 4}
    assert list(bench.releases("commit")) == [bench.history.sha(mark) for mark in (1, merge, squashed, empty)]


def test_the_first_release_that_holds_a_change_is_the_first_at_or_above_its_position(bench):
    bench.history.commit({"a": "1"})
    bench.history.tag("v1", 1)
    side = bench.history.commit({"b": "1"}, onto="side", parents=[1])
    bench.history.commit({"c": "1"})
    bench.history.tag("v2", 3)
    merge = bench.history.commit({"b": "1"}, parents=[3, side])
    bench.history.tag("v3", merge, at=99)
    bench.load()

    assert bench.releases() == {"v1": 1, "v2": 2, "v3": 3}
    assert bench.changes("position") == {1: 1, side: 3, 3: 2}
    assert bench.rows("select released_at::varchar from raw.releases where version = 'v3'") == [
        ("2024-01-01 01:39:00",)
    ]


def test_a_tag_beside_the_main_line_holds_what_its_branch_took_along(bench):
    for number in range(1, 4):
        bench.history.commit({"a": str(number)})
    fix = bench.history.commit({"b": "1"}, onto="hotfix", parents=[2])
    alone = bench.history.commit({"c": "1"}, onto="pages", parents=[])
    bench.history.tag("v2.1", fix)
    bench.history.tag("site", alone)
    bench.load()

    assert bench.releases() == {"v2.1": 2, "site": None}
    assert sorted(bench.changes("position")) == [1, 2, 3]


def test_tags_of_other_services_are_no_releases_and_prefixes_no_part_of_a_version(bench):
    bench.history.commit({"a": "1"})
    for name in ("pay-v1", "cart-v1", "pay-v", "payment-v2"):
        bench.history.tag(name, 1)
    report = bench.load(tags="pay-v{version}")

    assert bench.releases() == {"1": 1}
    assert "1 tag named 'pay-v{version}' are the releases of pay (--releases tags)" in report.warnings[0]
    with pytest.raises(UsageError, match="does not say once where the version stands"):
        bench.load(tags="pay-v")


def test_tags_that_lead_to_no_commit_and_tags_of_tags_do_no_harm(bench):
    bench.history.commit({"a": "1"})
    bench.history.tag("v1", 1, at=5)
    bench.history.save()
    path = bench.history.path
    git("tag", "key", git("rev-parse", "main:a", at=path).decode().strip(), at=path)
    git("-c", "user.name=A", "-c", "user.email=a@b", "tag", "-m", "again", "again", "v1", at=path)
    bench.load()

    assert bench.releases() == {"v1": 1, "again": 1}


def test_merges_are_releases_when_asked_for(bench):
    bench.history.commit({"a": "1"})
    side = bench.history.commit({"b": "1"}, onto="side", parents=[1])
    merge = bench.history.commit({"b": "1"}, parents=[1, side])
    bench.history.tag("v1", 1)
    report = bench.load(releases="merges")

    assert bench.releases("merge") == {bench.history.sha(1): 1, bench.history.sha(merge): 2}
    assert bench.releases() == {}
    assert "each commit of the main line is a release of pay" in report.warnings[0]


def test_releases_stand_in_for_deployments_only_where_no_service_is_named_or_it_is_asked_for(bench):
    bench.history.commit({"a": "1"}, at=0)
    bench.history.tag("v1", 1)
    bench.load()
    assert bench.rows("select count(*) from raw.deployments") == [(0,)]

    report = bench.load(proxy=True, environment="live")
    assert bench.rows(
        "select deployment_id, service, environment, started_at::varchar, status, version, commit_sha, is_proxy "
        "from raw.deployments"
    ) == [("pay@v1", "pay", "live", "2024-01-01 00:00:00", "succeeded", "v1", bench.history.sha(1), True)]
    assert "marked as a proxy" in report.warnings[1]

    bench.load()
    assert bench.rows("select count(*) from raw.deployments") == [(0,)]
    bench.load(service=None, releases="merges")
    assert bench.rows("select deployment_id, is_proxy from raw.deployments") == [(f"pay@{bench.history.sha(1)}", True)]


def test_a_moved_tag_moves_its_release_and_a_deleted_one_takes_it_along(bench):
    for number in range(1, 4):
        bench.history.commit({"a": str(number)})
    bench.history.tag("v1", 1)
    bench.history.tag("v2", 2)
    bench.load(proxy=True)
    bench.history.tag("v1", 3)
    bench.history.save()
    git("tag", "-d", "v2", at=bench.history.path)
    report = bench.load(proxy=True)

    assert bench.releases() == {"v1": 3}
    assert bench.rows("select deployment_id from raw.deployments") == [("pay@v1",)]
    assert [warning for warning in report.warnings if "2 rows that it no longer gives removed" in warning]
    git("tag", "-d", "v1", at=bench.history.path)
    bench.load(proxy=True)
    assert bench.releases() == {}


def test_a_revert_names_the_change_it_takes_back_in_whatever_way_it_says_so(bench):
    first = bench.history.commit({"a": "1"}, message="Turn it on")
    bench.history.commit({"a": "2"}, message="Turn it on")
    newest = bench.history.commit({"a": "3"}, message="Turn it on")
    bench.history.save()
    sha = bench.history.sha(first)
    named = bench.history.commit({"a": "4"}, message=f'Revert "Turn it on"\n\nThis reverts commit {sha}.')
    short = bench.history.commit({"a": "5"}, message=f"Back again\n\nThis reverts commit {sha[:9]}.")
    quoted = bench.history.commit({"a": "6"}, message='Revert "Turn it on" (#7)\n\nReverts shop/pay#6')
    again = bench.history.commit({"a": "7"}, message='Revert "Revert "Turn it on" (#7)"')
    unknown = bench.history.commit({"a": "8"}, message='Revert "What nobody wrote"')
    elsewhere = bench.history.commit({"a": "9"}, message=f"Back\n\nThis reverts commit {'ab' * 20}.")
    bench.history.commit({"a": "10"}, message="Revert to the old colours")
    bench.load()

    assert bench.reverts() == {
        named: [first],
        short: [first],
        quoted: [newest],
        again: [quoted],
        unknown: [],
        elsewhere: [],
    }


def test_reverting_a_merge_takes_back_all_that_it_brought(bench):
    bench.history.commit({"a": "1"})
    one = bench.history.commit({"b": "1"}, onto="side", parents=[1])
    two = bench.history.commit({"b": "2"}, onto="side")
    merge = bench.history.commit({"b": "2"}, parents=[1, two], message="Merge pull request #5 from side\n\nPay twice")
    bench.history.save()
    sha = bench.history.sha(merge)
    named = bench.history.commit(
        {"b": None}, message=f"Back\n\nThis reverts commit {sha}, reversing\nchanges made to x."
    )
    titled = bench.history.commit({"c": "1"}, message='Revert "Pay twice"')
    bench.load()

    assert bench.reverts() == {named: [one, two], titled: [one, two]}


def test_a_revert_of_what_an_earlier_reading_loaded_finds_it(bench):
    first = bench.history.commit({"a": "1"}, message="Turn it on")
    bench.load()
    back = bench.history.commit({"a": "2"}, message='Revert "Turn it on"')
    bench.load()

    assert bench.reverts() == {back: [first]}


def test_bots_are_told_from_people_and_people_from_each_other(bench):
    people = ["Ada <ada@x>", "dependabot[bot] <1+dependabot[bot]@x>", "Renovate Bot <r@x>", "Ana Botto <ana@x>"]
    for number, person in enumerate(people):
        bench.history.commit({"a": str(number)}, by=person)
    bench.history.commit({"a": "9"}, by="Ada L. <ADA@x>")
    bench.load()
    authors = bench.changes("author")
    assert bench.changes("is_bot") == {1: False, 2: True, 3: True, 4: False, 5: False}
    assert authors[1] == authors[5] != authors[4]

    bench.load(names=True)
    assert bench.changes("author")[5] == "Ada L."


def test_only_changes_of_the_paths_count_where_paths_are_given(bench):
    bench.history.commit({"services/pay/a": "1\n", "services/cart/a": "1\n"})
    bench.history.commit({"services/cart/a": "2\n"})
    bench.history.commit({"services/pay/deep/b": "1\n"})
    bench.load(paths="services/pay/**,lib/**")

    assert bench.changes("files_changed, position") == {1: [1, 1], 3: [1, 3]}


def test_paths_that_nothing_touched_are_refused_and_what_was_known_stays(bench):
    bench.history.commit({"services/pay/a": "1\n"})
    bench.load()

    with pytest.raises(NothingToLoad, match=r"none of 1 commit touched a file like services/cart/\*\*"):
        bench.load(paths="services/cart/**")
    assert bench.changes("position") == {1: 1}


def test_a_service_that_no_deployment_names_is_said(bench):
    bench.history.commit({"a": "1"})
    report = bench.load(service="cart")

    assert [warning for warning in report.warnings if "no deployment of 'cart' is known (yet)" in warning]


def test_a_second_reading_takes_only_what_is_new(bench):
    bench.history.commit({"a": "1"})
    bench.history.tag("v1", 1)
    first = bench.load()
    bench.history.commit({"a": "2"})
    bench.history.tag("v2", 2)
    second, third = bench.load(), bench.load()

    assert counts(first) == {"changes of commits": (1, 1, 0), "releases of commits": (1, 1, 0),
                             "releases of tags": (1, 1, 0)}  # fmt: skip
    assert counts(second) == {"changes of commits": (1, 1, 0), "releases of commits": (1, 1, 0),
                              "releases of tags": (2, 1, 0)}  # fmt: skip
    assert counts(third)["changes of commits"] == (0, 0, 0)
    assert not [warning for warning in third.warnings if "read from the beginning" in warning]


def test_a_rewritten_history_is_said_and_what_it_no_longer_holds_removed(bench):
    bench.history.commit({"a": "1"})
    bench.history.commit({"a": "2"})
    bench.load()
    bench.history.commit({"a": "3"}, parents=[1])
    report = bench.load()

    assert bench.changes("position") == {1: 1, 3: 2}
    assert "history was rewritten" in report.warnings[1]
    assert "2 rows that it no longer gives removed" in report.warnings[1]


def test_other_options_and_other_services_are_other_readings(bench):
    bench.history.commit({"pay/a": "1", "cart/a": "1"})
    bench.history.commit({"cart/a": "2"})
    bench.load()
    bench.load(service="cart", paths=("cart/**",))
    report = bench.load(paths=("pay/**",))

    assert bench.rows("select service, count(*) from raw.changes group by 1 order by 1") == [("cart", 2), ("pay", 1)]
    assert "its options are others than the last time" in report.warnings[1]


def test_nothing_is_kept_by_a_dry_run_nor_by_a_strict_one_that_fails(bench):
    bench.history.commit({"a": "1"}, at=datetime(1980, 1, 1, tzinfo=UTC))
    bench.history.commit({"a": "2"})
    bench.load(dry_run=True)
    refused = bench.load(strict=True)

    assert refused.exit_code == 4
    assert bench.rows("select count(*) from raw.changes") == [(0,)]
    assert bench.rows("select count(*) from raw._cursors") == [(0,)]


def test_absurd_dates_go_to_quarantine_once_however_often_they_are_read(bench):
    bench.history.commit({"a": "1"}, at=datetime(1980, 1, 1, tzinfo=UTC))
    bench.history.commit({"a": "2"}, at=1, authored=datetime(2106, 1, 1, tzinfo=UTC))
    bench.history.commit({"a": "3"})
    bench.history.tag("v1", 1)
    bench.load()
    bench.load()

    assert sorted(bench.changes("position")) == [3]
    assert sorted(bench.rows("select table_name, rule from raw._quarantine")) == [
        ("changes", "year_out_of_range"),
        ("changes", "year_out_of_range"),
        ("releases", "year_out_of_range"),
        ("releases", "year_out_of_range"),
    ]


def test_names_and_messages_in_any_encoding_are_read(bench):
    latin = "Andr\xe9".encode("latin-1")
    bench.history.commit({"a": "1"}, by=latin + b" <a@x>", message="caf\xe9".encode("latin-1"), encoding="ISO-8859-1")
    bench.history.commit({"a": "2"}, by=latin + b" <a@x>", message=b"\xff\xfe\x01|")
    bench.history.commit({"a": "3"}, by=b" <>", message="no such encoding", encoding="klingon")
    bench.history.commit({b"caf\xe9\t\x01": "4", 'say "no"': "5"}, by="\u05e9 <b@x>", message="")
    bench.load(names=True)

    assert bench.changes("author") == {1: "André", 2: "Andr�", 3: None, 4: "\u05e9"}
    assert bench.changes("files_changed")[4] == 2


@pytest.mark.parametrize(
    ("missing", "known", "words"),
    [("blob:none", [None, None, 1], "the lines"), ("tree:0", [None, None, None], "the files and lines")],
)
def test_a_partial_clone_says_which_sizes_it_cannot_tell(bench, missing, known, words):
    for number in range(3):
        bench.history.commit({"a": f"{number}\n"})
    path = bench.history.save()
    git("config", "uploadpack.allowFilter", "true", at=path)
    report = bench.load(bench.clone("part", f"--filter={missing}"))

    assert bench.changes("lines_added, lines_deleted, files_changed") == {1: known, 2: known, 3: known}
    assert f"of 3 of 3 commits {words} changed are not known" in report.warnings[1]


def test_one_missing_object_leaves_the_sizes_of_other_commits_known(bench):
    for number in range(4):
        bench.history.commit({"a": f"{number}\n", f"b{number}": f"x{number}\n"})
    path = bench.clone("copy")
    git("unpack-objects", "-q", at=path, given=unpacked(path))
    blob = git("rev-parse", "main~1:b2", at=path).decode().strip()
    (path / "objects" / blob[:2] / blob[2:]).unlink()
    report = bench.load(path)

    assert bench.changes("lines_added") == {1: 2, 2: 2, 3: None, 4: 2}
    assert bench.changes("files_changed") == {1: 2, 2: 2, 3: 2, 4: 2}
    assert "of 1 of 4 commits the lines" in report.warnings[1]


def test_more_missing_objects_than_anyone_waits_for_are_passed_over_at_once(bench, monkeypatch):
    monkeypatch.setattr("shipcast.ingest.commit_details.PATIENCE", 2)
    for number in range(6):
        bench.history.commit({"a": f"{number}\n"})
    git("config", "uploadpack.allowFilter", "true", at=bench.history.save())
    bench.load(bench.clone("part", "--filter=tree:0"))

    assert bench.changes("files_changed") == dict.fromkeys(range(1, 7))


def unpacked(path):
    """The bytes of the only pack, which is taken away."""
    [pack] = (path / "objects" / "pack").glob("*.pack")
    data = pack.read_bytes()
    for file in pack.parent.iterdir():
        file.unlink()
    return data


def test_a_missing_commit_is_damage_and_stores_nothing(bench):
    for number in range(3):
        bench.history.commit({"a": str(number)})
    path = bench.clone("copy")
    git("unpack-objects", "-q", at=path, given=unpacked(path))
    sha = bench.history.sha(2)
    (path / "objects" / sha[:2] / sha[2:]).unlink()

    with pytest.raises(RepositoryDamaged):
        bench.load(path)
    assert bench.rows("select count(*) from raw._loads") == [(0,)]


def test_a_shallow_clone_begins_with_no_change_and_says_so(bench):
    for number in range(1, 6):
        bench.history.commit({"a": str(number)})
    report = bench.load(bench.clone("shallow", "--depth=2"))

    assert bench.changes("position") == {5: 2}
    assert "is a shallow clone: its history begins at 2024-01-01T00:04:00" in report.warnings[1]


def test_a_clone_cut_short_keeps_the_places_that_were_known_and_one_made_whole_gets_them_right(bench):
    for number in range(1, 6):
        bench.history.commit({"a": str(number)})
    clone = "clone"
    bench.load(bench.clone(clone, "--depth=2"))
    bench.load(bench.clone(clone))
    whole = bench.changes("position")
    bench.load(bench.clone(clone, "--depth=2"))
    short = bench.changes("position")
    bench.history.commit({"a": "6"})
    git("fetch", "--quiet", "origin", "main:main", at=bench.folder / clone)
    git("fetch", "--quiet", f"file://{bench.history.save()}", "main:main", at=bench.folder / clone)
    bench.load(bench.folder / clone)

    assert whole == short == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}
    assert bench.changes("position") == {**whole, 6: 6}


def test_what_was_missed_between_two_shallow_readings_lies_between_them(bench):
    for number in range(1, 4):
        bench.history.commit({"a": str(number)})
    bench.load(bench.clone("clone"))
    for number in range(4, 9):
        bench.history.commit({"a": str(number)})
    bench.load(bench.clone("clone", "--depth=2"))

    assert bench.changes("position") == {1: 1, 2: 2, 3: 3, 8: 5}


def test_a_folder_that_is_no_repository_is_told(bench):
    with pytest.raises(NothingToLoad, match="is not a git repository"):
        bench.load(bench.folder)


@pytest.mark.parametrize("path", [".", "pay/.git"])
def test_a_service_without_a_name_is_called_after_the_folder(bench, path, monkeypatch):
    bench.history.commit({"a": "1"})
    git("clone", "--quiet", str(bench.history.save()), str(bench.folder / "shop" / "pay"))
    monkeypatch.chdir(bench.folder / "shop" / ("pay" if path == "." else ""))
    bench.load(path, service=None)

    assert bench.rows("select distinct service from raw.changes") == [("pay",)]


COMMITS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(0, 30), max_size=2), st.integers(0, 9)), min_size=2, max_size=10
)
STORED = {
    "changes": "* exclude (_load_id, _changed_id, author)",
    "releases": "* exclude (_load_id, _changed_id)",
    "deployments": "* exclude (_load_id, _changed_id)",
}


def grow(history, commits):
    """Commits on three branches that merge each other, say that they revert, and are tagged now and then."""
    for branch, others, chance in commits:
        mark, name = history.count + 1, "main" if branch == 0 or not history.count else f"side{branch}"
        first = history.tips.get(name, history.count)
        parents = list(dict.fromkeys([first, *(1 + other % history.count for other in others)])) if mark > 1 else []
        message = f'Revert "subject {chance}"' if chance % 3 == 2 else f"subject {chance + 2}"
        history.commit({f"f{chance}": str(mark)}, onto=name, parents=parents, message=message, at=chance * mark)
        if chance % 4 == 0:
            history.tag(f"v{chance}", mark)


@given(before=COMMITS, after=COMMITS, releases=st.sampled_from(["tags", "merges"]))
@settings(max_examples=examples(3), deadline=None)
def test_reading_in_two_parts_gives_what_one_reading_gives(before, after, releases, tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("bench"))
    grow(bench.history, before)
    bench.load(proxy=True, releases=releases)
    grow(bench.history, after)
    bench.load(proxy=True, releases=releases)
    fresh = bench.folder / "fresh"
    bench.load(home=fresh, proxy=True, releases=releases)

    for table, columns in STORED.items():
        query = f"select {columns} from raw.{table} order by all"
        assert bench.rows(query) == bench.rows(query, fresh), table
