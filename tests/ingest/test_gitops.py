"""Deployments from the history of versions: what counts as one, what undoes one, and reading on."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from histories import History, git

from shipcast.ingest.errors import NothingToLoad
from shipcast.ingest.gitops import ingest_gitops
from shipcast.settings import GitopsSource, Settings
from shipcast.settings.errors import UsageError
from shipcast.warehouse.connection import WORK_FILE, open_beside
from shipcast.warehouse.lock import run_lock

TEMPLATE = "env/{environment}/{service}"
DAY = 24 * 60


class Bench:
    """A repository, and the home that it is loaded into."""

    def __init__(self, folder):
        self.history = History(folder / "charts")
        self.folder = folder
        self.settings = Settings(home=folder / "home")

    def load(self, path=None, *, strict=False, dry_run=False, home=None, **options):
        source = GitopsSource(path=path or self.history.path, template=options.pop("template", TEMPLATE), **options)
        settings = Settings(home=home) if home else self.settings
        with run_lock(settings.home, "test"):
            return ingest_gitops(settings, source, strict=strict, dry_run=dry_run)

    def rows(self, query, home=None):
        with open_beside((home or self.settings.home) / WORK_FILE) as connection:
            return connection.execute(query).fetchall()

    def deployments(self):
        """(environment/service, version, status, the version that was rolled back), in the order of the history."""
        return self.rows(
            "select d.environment || '/' || d.service, d.version, d.status, b.version from raw.deployments d "
            "left join raw.deployments b on b.deployment_id = d.rollback_of order by d._line"
        )

    def loaded(self, **options):
        """The deployments of what was committed so far."""
        self.history.save()
        self.load(**options)
        return self.deployments()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def counts(report):
    return {item.table: (item.read, item.inserted, item.updated, item.unchanged) for item in report.items}


def test_each_commit_that_changes_a_version_is_a_deployment(bench):
    bench.history.commit({"env/prod/pay": "v1\n", "env/test/pay": "v1\n", "README": "v9"})
    bench.history.commit({"env/test/pay": "v2\n"})
    bench.history.commit({"env/prod/pay": "v2\n", "env/prod/pay.md": "nothing"})

    assert bench.loaded(template="env/{environment}/pay", service="pay") == [
        ("prod/pay", "v1", "succeeded", None),
        ("test/pay", "v1", "succeeded", None),
        ("test/pay", "v2", "succeeded", None),
        ("prod/pay", "v2", "succeeded", None),
    ]


def test_a_deployment_says_when_it_reached_the_branch_and_which_commit_it_ships(bench):
    sha = "0123456789abcdef0123456789abcdef01234567"
    side = bench.history.commit(
        {"env/prod/pay": f"release-{sha}"}, at=datetime(2024, 5, 1, 12, tzinfo=UTC), onto="side"
    )
    bench.history.commit({"README": "hello"}, at=datetime(2024, 5, 2, tzinfo=UTC))
    merge = bench.history.commit(
        {"env/prod/pay": f"release-{sha}"}, at=datetime(2024, 5, 9, 8, 30, tzinfo=UTC), parents=[2, side]
    )
    bench.history.save()
    bench.load()

    assert bench.rows("select deployment_id, started_at::varchar, finished_at, commit_sha from raw.deployments") == [
        (f"prod/pay@{bench.history.sha(merge)[:12]}", "2024-05-09 08:30:00", None, sha)
    ]


def test_what_leaves_the_version_alone_is_no_deployment(bench):
    bench.history.commit({"env/prod/pay": "image_tag: v1\nautomatic: true\n"})
    bench.history.commit({"env/prod/pay": "# said again\nimage_tag: v1\nautomatic: false\n"})
    bench.history.commit({"env/prod/pay": "image_tag: 'v1'\n"})
    bench.history.commit({"README": "more"})

    assert bench.loaded() == [("prod/pay", "v1", "succeeded", None)]


def test_a_deletion_is_no_deployment_and_a_return_is_one(bench):
    bench.history.commit({"env/prod/pay": "v1"})
    bench.history.commit({"env/prod/pay": None})
    bench.history.commit({"env/prod/pay": "v1"})

    assert [version for _, version, *_ in bench.loaded()] == ["v1", "v1"]


def test_a_renamed_service_begins_anew_under_its_new_name(bench):
    bench.history.commit({"env/prod/pay": "v3"})
    bench.history.commit({"env/prod/pay": None, "env/prod/payments": "v2"})

    assert bench.loaded() == [("prod/pay", "v3", "succeeded", None), ("prod/payments", "v2", "succeeded", None)]


def test_a_lower_version_rolls_back_the_deployment_before_it(bench):
    for version in ("v9", "v10", "v9", "v8", "v11"):
        bench.history.commit({"env/prod/pay": version, "env/test/pay": "v1"})

    assert bench.loaded(environment=None)[:1] == [("prod/pay", "v9", "succeeded", None)]
    assert [row[1:] for row in bench.deployments() if row[0] == "prod/pay"] == [
        ("v9", "succeeded", None),
        ("v10", "rolled_back", None),
        ("v9", "rolled_back", "v10"),
        ("v8", "succeeded", "v9"),
        ("v11", "succeeded", None),
    ]


def test_a_lower_version_after_a_fortnight_is_a_change_like_any_other(bench):
    bench.history.commit({"env/prod/pay": "v2", "env/prod/cart": "v2"}, at=0)
    bench.history.commit({"env/prod/pay": "v1"}, at=14 * DAY)
    bench.history.commit({"env/prod/cart": "v1"}, at=14 * DAY + 1)

    assert {name: status for name, version, status, _ in bench.loaded() if version == "v2"} == {
        "prod/pay": "rolled_back",
        "prod/cart": "succeeded",
    }


def test_versions_without_an_order_are_never_called_a_rollback_but_counted(bench):
    for version in ("main-3f2a", "main-91bc", "main-3f2a"):
        bench.history.commit({"env/prod/pay": version})
    bench.history.save()
    report = bench.load()

    assert {status for _, _, status, _ in bench.deployments()} == {"succeeded"}
    assert [warning for warning in report.warnings if "2 deployments went from one version to another" in warning]


def test_a_branch_that_never_landed_deploys_nothing_and_a_named_one_may_be_read(bench):
    bench.history.commit({"env/prod/pay": "v1"})
    bench.history.commit({"env/prod/pay": "v2"}, onto="live", parents=[1])

    assert [row[1] for row in bench.loaded()] == ["v1"]
    assert [row[1] for row in bench.loaded(branch="live")] == ["v1", "v2"]


def test_several_services_in_one_file_are_told_apart_by_the_key(bench):
    images = "images:\n- {{name: pay, newTag: {}}}\n- name: cart\n  newTag: '{}'\n"
    bench.history.commit({"env/prod/kustomization.yaml": images.format("1.10", "v1")})
    bench.history.commit({"env/prod/kustomization.yaml": images.format("1.11", "v1")})
    bench.history.commit({"env/prod/kustomization.yaml": images.format("1.9", "v2")})

    assert bench.loaded(template="env/{environment}/kustomization.yaml", key="images[name={service}].newTag") == [
        ("prod/pay", "1.10", "succeeded", None),
        ("prod/cart", "v1", "succeeded", None),
        ("prod/pay", "1.11", "rolled_back", None),
        ("prod/pay", "1.9", "succeeded", "1.11"),
        ("prod/cart", "v2", "succeeded", None),
    ]


def test_a_service_taken_out_of_a_shared_file_is_deployed_when_it_comes_back(bench):
    for content in ("pay: v1\ncart: v1\n", "cart: v1\n", "pay: v1\ncart: v1\n"):
        bench.history.commit({"env/prod.yaml": content})

    assert [row[0] for row in bench.loaded(template="env/{environment}.yaml", key="{service}")] == [
        "prod/pay",
        "prod/cart",
        "prod/pay",
    ]


def test_json_and_regular_expressions_find_versions_as_well(bench):
    bench.history.commit({"env/prod/pay.json": json.dumps({"image": {"tag": 1.5}}), "env/prod/main.tf": 'tag = "v7"'})
    bench.history.save()

    bench.load(template="env/{environment}/{service}.json", key="image.tag")
    bench.load(template="env/{environment}/{service}.tf", pattern=r'tag = "(?P<version>.*)"')

    assert [row[:2] for row in bench.deployments()] == [("prod/pay", "1.5"), ("prod/main", "v7")]


def test_files_that_cannot_be_read_are_counted_and_hide_no_deployment(bench):
    bench.history.commit({"env/prod/pay": "image_tag: v1\n"})
    bench.history.commit({"env/prod/pay": "image_tag: v1\n<<<<<<< HEAD\n\t- ]"})
    bench.history.commit({"env/prod/pay": "image_tag: v1\n"})
    bench.history.commit({"env/prod/pay": b"\xff\xfe\x00"})
    bench.history.commit({"env/prod/pay": "image_tag: v2\n"})
    bench.history.save()
    report = bench.load()

    assert [row[1] for row in bench.deployments()] == ["v1", "v2"]
    assert [warning for warning in report.warnings if "in 2 changed files no version can be read" in warning]


def test_switches_of_a_flag_become_holds(bench):
    content = "image_tag: v1\nautomatic_deploys_enabled: {}\n"
    for minute, value in enumerate(("true", "true", "no", "on")):
        bench.history.commit({"env/prod/pay": content.format(value)}, at=minute)
    bench.history.commit({"env/prod/cart": "image_tag: v1\nautomatic_deploys_enabled: false\n"}, at=4)
    bench.history.commit({"env/prod/cart": "image_tag: v1\n"}, at=5)
    bench.history.save()
    bench.load(holds="automatic_deploys_enabled")

    assert bench.rows(
        "select service, active, minute(\"at\") from raw.holds where kind = 'automatic_deploys_enabled' order by _line"
    ) == [("pay", False, 0), ("pay", True, 2), ("pay", False, 3), ("cart", True, 4), ("cart", False, 5)]


def test_a_flag_may_hold_by_any_value(bench):
    for state in ("open", "frozen"):
        bench.history.commit({"env/prod/pay": f"tag: v1\nstate: {state}\n"})
    bench.history.save()
    bench.load(holds="state=frozen")

    assert bench.rows("select active from raw.holds order by _line") == [(False,), (True,)]


def test_people_are_told_apart_and_named_only_when_asked(bench):
    for number, person in enumerate(("Ada <ada@x>", "Bo <bo@x>", "Ada L. <ADA@x>")):
        bench.history.commit({"env/prod/pay": f"v{number}"}, by=person)
    bench.history.save()
    bench.load()
    [(ada,), (bo,), (again,)] = bench.rows("select deployed_by from raw.deployments order by _line")
    bench.load(names=True)

    assert ada == again != bo
    assert re.fullmatch("u[0-9a-f]{10}", ada)
    assert bench.rows("select deployed_by from raw.deployments order by _line") == [("Ada",), ("Bo",), ("Ada L.",)]


def test_a_second_reading_takes_only_what_is_new_and_mends_what_was_undone(bench):
    bench.history.commit({"env/prod/pay": "v1"})
    bench.history.commit({"env/prod/pay": "v2"})
    bench.history.save()
    first = bench.load()
    bench.history.commit({"env/prod/pay": "v1"})
    bench.history.save()
    second = bench.load()
    third = bench.load()

    assert [counts(report)["deployments"] for report in (first, second, third)] == [
        (2, 2, 0, 0),
        (2, 1, 1, 0),
        (0, 0, 0, 0),
    ]
    assert [row[1:] for row in bench.deployments()] == [
        ("v1", "succeeded", None),
        ("v2", "rolled_back", None),
        ("v1", "succeeded", "v2"),
    ]
    assert not third.warnings


def test_a_rewritten_history_is_said_and_read_anew(bench):
    bench.history.commit({"env/prod/pay": "v1"})
    bench.history.commit({"env/prod/pay": "v2"})
    bench.history.save()
    bench.load()
    bench.history.commit({"env/prod/pay": "v3"}, parents=[1])
    bench.history.save()
    report = bench.load()

    assert [row[1] for row in bench.deployments()] == ["v1", "v3"]
    assert "history was rewritten" in report.warnings[0]
    assert "1 row that it no longer gives removed" in report.warnings[0]


def test_other_options_are_another_reading_of_the_same_source(bench):
    bench.history.commit({"env/prod/pay": "tag: v1\nlocked: true\n"})
    bench.history.save()
    bench.load()
    report = bench.load(holds="locked=true")

    assert counts(report) == {"deployments": (1, 0, 0, 1), "holds": (1, 1, 0, 0)}
    assert "its options are others than the last time" in report.warnings[0]


def test_two_sources_of_one_repository_do_not_touch_each_other(bench):
    bench.history.commit({"env/prod/pay": "v1", "live/prod/cart": "v1"})
    bench.history.save()
    bench.load()
    bench.load(template="live/{environment}/{service}")
    bench.history.commit({"env/prod/pay": "v2"})
    bench.history.save()

    assert counts(bench.load(template="live/{environment}/{service}"))["deployments"][0] == 0
    assert counts(bench.load())["deployments"] == (1, 1, 0, 0)


def test_nothing_is_kept_by_a_dry_run_nor_by_a_strict_one_that_fails(bench):
    bench.history.commit({"env/prod/pay": "v1"})
    bench.history.commit({"env/prod/pay": "v2"}, at=datetime(1999, 1, 1, tzinfo=UTC))
    bench.history.save()

    bench.load(dry_run=True)
    refused = bench.load(strict=True)

    assert refused.exit_code == 4
    assert bench.rows("select count(*) from raw.deployments") == [(0,)]
    assert bench.rows("select count(*) from raw._cursors") == [(0,)]
    assert counts(bench.load())["deployments"] == (2, 1, 0, 0)


def test_commits_dated_beyond_the_rules_are_quarantined_with_their_commit(bench):
    bench.history.commit({"env/prod/pay": "v1"}, at=datetime(1970, 1, 2, tzinfo=UTC))
    bench.history.commit({"env/prod/cart": "v1"}, at=datetime(2106, 1, 2, tzinfo=UTC))
    bench.history.commit({"env/prod/shop": "v1"})
    bench.history.save()
    bench.load()

    kept = bench.rows("select line, rule, row from raw._quarantine order by line")
    assert [row[0] for row in bench.deployments()] == ["prod/shop"]
    assert [(line, rule) for line, rule, _ in kept] == [(1, "year_out_of_range"), (2, "year_out_of_range")]
    assert json.loads(kept[0][2])["commit"] == bench.history.sha(1)


def test_a_return_to_the_version_before_is_a_rollback_where_that_is_asked_for(bench):
    for version in ("main-3f2a", "main-91bc", "main-3f2a", "main-77aa", "main-91bc"):
        bench.history.commit({"env/prod/pay": version})

    assert [row[1:] for row in bench.loaded(returns=True)] == [
        ("main-3f2a", "succeeded", None),
        ("main-91bc", "rolled_back", None),
        ("main-3f2a", "succeeded", "main-91bc"),
        ("main-77aa", "succeeded", None),
        ("main-91bc", "succeeded", None),
    ]


def test_a_return_is_known_as_one_when_the_version_before_was_loaded_earlier(bench):
    bench.history.commit({"env/prod/pay": "main-3f2a"})
    bench.history.commit({"env/prod/pay": "main-91bc"})
    bench.loaded(returns=True)
    bench.history.commit({"env/prod/pay": "main-3f2a"})

    assert [row[1:] for row in bench.loaded(returns=True)][1:] == [
        ("main-91bc", "rolled_back", None),
        ("main-3f2a", "succeeded", "main-91bc"),
    ]


def test_a_deployment_that_goes_to_quarantine_is_nobodys_predecessor(bench):
    bench.history.commit({"env/prod/pay": "v2"}, at=1)
    bench.history.commit({"env/prod/pay": "v9"}, at=datetime(1980, 1, 1, tzinfo=UTC))
    bench.history.commit({"env/prod/pay": "v3"}, at=2)

    assert [row[1:] for row in bench.loaded()] == [("v2", "succeeded", None), ("v3", "succeeded", None)]
    assert bench.rows("select count(*) from raw._quarantine") == [(1,)]


def test_a_file_too_large_to_name_versions_is_counted_and_hides_no_deployment(bench, monkeypatch):
    monkeypatch.setattr("shipcast.ingest.repository.LARGEST_BLOB", 100)
    bench.history.commit({"env/prod/pay": "tag: v1\n"})
    bench.history.commit({"env/prod/pay": "tag: v2\n" + "#" * 100})
    bench.history.commit({"env/prod/pay": "tag: v2\n"})
    bench.history.save()
    report = bench.load(key="tag")

    assert [row[1] for row in bench.deployments()] == ["v1", "v2"]
    assert "in 1 changed file no version can be read" in report.warnings[0]
    assert "too large" in report.warnings[0]


def test_rows_that_other_options_only_move_take_their_new_places_and_stay_as_they_were(bench):
    bench.history.commit({"env/prod/pay": "tag: v1\nlocked: true\n"})
    bench.history.commit({"env/prod/pay": "tag: v2\nlocked: true\n"})
    bench.history.save()
    bench.load(key="tag")
    before = bench.rows("select deployment_id, _load_id from raw.deployments order by _line")
    bench.load(key="tag", holds="locked=true")

    assert bench.rows("select _line from raw.deployments order by _line") == [(2,), (3,)]
    assert bench.rows("select deployment_id, _load_id from raw.deployments order by _line") == before


def test_a_shallow_clone_says_where_it_begins_and_makes_up_no_deployments(bench):
    for number in range(1, 5):
        bench.history.commit({"env/prod/pay": f"v{number}", "env/test/pay": "v1"}, at=number)
    path = bench.history.save()
    git("clone", "--quiet", "--bare", "--depth=2", f"file://{path}", str(bench.folder / "shallow"))
    report = bench.load(bench.folder / "shallow")

    assert [row[:2] for row in bench.deployments()] == [("prod/pay", "v4")]
    assert "its history begins at 2024-01-01T00:03:00" in report.warnings[0]


def test_a_clone_that_became_whole_is_read_anew_and_one_cut_short_keeps_what_was_known(bench):
    for number in range(1, 5):
        bench.history.commit({"env/prod/pay": f"v{number}"}, at=number)
    path = bench.history.save()
    clone = bench.folder / "clone"
    versions = []
    for how in (["--depth=2"], [], ["--depth=2"]):
        shutil.rmtree(clone, ignore_errors=True)
        git("clone", "--quiet", "--bare", *how, f"file://{path}", str(clone))
        bench.load(clone)
        versions.append([row[1] for row in bench.deployments()])

    assert versions == [["v4"], ["v1", "v2", "v3", "v4"], ["v1", "v2", "v3", "v4"]]


def test_what_fits_nothing_is_refused_with_what_to_write(bench):
    bench.history.commit({"env/prod/pay": "a: 1\nb: 2\n"})
    bench.history.save()

    with pytest.raises(NothingToLoad, match="no file of its history has a path like 'charts/"):
        bench.load(template="charts/{environment}/{service}")
    with pytest.raises(NothingToLoad, match=r"none of 1 file .* names a version"):
        bench.load()
    with pytest.raises(NothingToLoad, match=r"--key image\.tag"):
        bench.load(key="image.tag")
    assert bench.rows("select count(*) from raw._loads") == [(0,)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"template": "env/{environment}/x"}, "Nothing says the service"),
        ({"template": "env/{env}/{service}"}, r"holds \{env\}"),
        ({"environment": "prod"}, "--environment is given, and"),
        ({"key": "image..tag"}, "is no key"),
        ({"pattern": "tag: .*"}, "has no group"),
        ({"pattern": "tag: (.*"}, "is no regular expression"),
        ({"key": "tag", "pattern": "(.*)"}, "two ways to one place"),
    ],
)
def test_a_layout_that_makes_no_sense_is_told(bench, options, words):
    with pytest.raises(UsageError, match=words):
        bench.load(**options)


def test_names_that_git_would_quote_and_names_that_look_like_options(bench):
    bench.history.commit({'env/prod/a "b"': "v1", b"env/prod/caf\xe9": "v1", "env/-rf/--all": "v1", "env/é/ñ": "v1"})

    assert sorted(row[0] for row in bench.loaded()) == ["-rf/--all", 'prod/a "b"', "prod/caf\\xe9", "é/ñ"]


def test_a_path_that_begins_with_a_dash_or_holds_git_magic_is_only_a_path(bench):
    bench.history.commit({"-c/prod/pay": "v1", ":(top)x/[1]/cart": "v2"})
    bench.history.save()
    bench.load(template="-c/{environment}/{service}")
    bench.load(template=":(top)x/[1]/{service}", environment="prod")

    assert [row[:2] for row in bench.deployments()] == [("prod/pay", "v1"), ("prod/cart", "v2")]


def test_an_older_load_counts_add_up_in_the_record(bench):
    bench.history.commit({"env/prod/pay": "v1"}, at=datetime.now(UTC) + timedelta(days=3))
    bench.history.commit({"env/prod/pay": "v2"})
    bench.history.save()
    bench.load()

    assert bench.rows(
        "select source, table_name, read, inserted + updated + unchanged + merged + quarantined from raw._loads"
    ) == [(f"gitops {bench.history.path}", "deployments", 2, 2)]
