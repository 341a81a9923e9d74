"""Sync windows of Argo CD come to windows of ours that let go what it lets go, or are refused by name."""

import json
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import product

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_argo import CRONS

from shipcast.ingest.remote.sync_windows import SyncWindow, Target
from shipcast.scheduling.calendar.argo import glob_of, sync_windows
from shipcast.scheduling.calendar.argo_globs import NoGlob, exactly, is_all, letters, ours
from shipcast.scheduling.calendar.argo_manifest import imported_manifest
from shipcast.scheduling.calendar.argo_reading import of_server, scopes_of, understood
from shipcast.scheduling.calendar.argo_window import common_schedule, go_minutes
from shipcast.scheduling.calendar.calendar import Calendar
from shipcast.scheduling.calendar.cron import parse_cron
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.imported import Wanted, write_imported
from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.rules import Window
from shipcast.scheduling.calendar.scope import Subject
from shipcast.scheduling.calendar.spans import union

instant = datetime.fromisoformat
SINCE, UNTIL = instant("2026-06-01"), instant("2026-06-15")
NIGHT = {"schedule": "0 22 * * *", "duration": "2h"}


def window(**more):
    return {"kind": "deny", **NIGHT, "applications": ["pay"], **more}


def manifest(*windows, **meta):
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": meta,
        "spec": {"syncWindows": [*windows]},
    }


def taken(folder, content, scope=None, name="argo"):
    """The calendar that a manifest comes to, and what was said of it."""
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    windows, said = imported_manifest(folder / "project.yaml", Wanted(name, "Europe/Berlin", scope=scope or {}))
    return read_calendar(write_imported(folder / f"{name}.json", windows)), said


def scopes(calendar):
    return [(one.scope.service, one.scope.environment) for one in calendar.windows]


PLACES = [
    (window(), [(("pay",), ())]),
    (window(applications=["pay-*", "{web,cart}-?"]), [(("pay-*", "web-?", "cart-?"), ())]),
    (window(applications=["*"]), [((), ())]),
    (window(applications=["*"], namespaces=["live"]), [((), ())]),
    (window(namespaces=["live"]), [(("pay",), ()), ((), ("live",))]),
    (window(namespaces=["live"], andOperator=True), [(("pay",), ("live",))]),
    (window(applications=["*"], namespaces=["live"], andOperator=True), [((), ("live",))]),
    (window(applications=None, namespaces=["live", "test"]), [((), ("live", "test"))]),
    (window(applications=[], clusters=["*"]), [((), ())]),
    (window(clusters=["*"], andOperator=True), [(("pay",), ())]),
    (window(clusters=["in-cluster"]), [(("pay",), ())]),
    (window(clusters=["in-cluster"], andOperator=True), []),
    (window(applications=[], clusters=["in-cluster"]), []),
    (window(applications=[]), []),
    (window(applications=["p[a", "pay"]), [(("pay",), ())]),
    (window(applications=["p[a"], namespaces=["live"], andOperator=True), []),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), PLACES, ids=str)
def test_what_a_manifest_s_window_is_about(tmp_path, given, expected):
    calendar, said = taken(tmp_path, manifest(given))
    is_unsayable = given["clusters"] != ["*"] if "clusters" in given else given["applications"] == []

    assert scopes(calendar) == expected
    assert any("Window 0: " in one and "left out" in one for one in said) == is_unsayable


TIMES = [
    ({}, ("deny", "0 22 * * *", 120, "UTC", "block")),
    ({"kind": "allow"}, ("allow", "0 22 * * *", 120, "UTC", "block")),
    ({"kind": "allow", "manualSync": True}, ("allow", "0 22 * * *", 120, "UTC", "approval")),
    ({"manualSync": True}, ("deny", "0 22 * * *", 120, "UTC", "approval")),
    ({"timeZone": "Europe/Berlin"}, ("deny", "0 22 * * *", 120, "Europe/Berlin", "block")),
    ({"timeZone": "Europe/Berln"}, ("deny", "0 22 * * *", 120, "UTC", "block")),
    ({"timeZone": None}, ("deny", "0 22 * * *", 120, "UTC", "block")),
    ({"duration": "1h30m"}, ("deny", "0 22 * * *", 90, "UTC", "block")),
    ({"duration": "90s"}, ("deny", "0 22 * * *", 2, "UTC", "block")),
    ({"kind": "allow", "duration": "90s"}, ("allow", "0 22 * * *", 1, "UTC", "block")),
    ({"kind": "allow", "duration": "30s"}, ("allow", "0 0 31 6 *", 1, "UTC", "block")),
    ({"duration": "8784h"}, ("deny", "0 22 * * *", 527_040, "UTC", "block")),
    ({"schedule": "0 9 ? * mon-fri"}, ("deny", "0 9 * * mon-fri", 120, "UTC", "block")),
    ({"schedule": "0 9 31 6 *"}, ("deny", "0 0 * * *", 1440, "UTC", "block")),
    ({"kind": "allow", "duration": "0s"}, ("allow", "0 0 31 6 *", 1, "UTC", "block")),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), TIMES, ids=str)
def test_when_a_window_opens_and_what_it_asks_for(tmp_path, given, expected):
    [one] = taken(tmp_path, manifest(window(**given)))[0].windows

    assert (one.kind, one.cron, one.minutes, one.tz, one.outside if one.kind == "allow" else one.effect) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1m", 60),
        ("1ms", 0.001),
        (".5h", 1800),
        ("1.h", 3600),
        ("+2m", 120),
        ("-2m", 0),
        ("1h1m1s1ms", 3661.001),
    ],
)
def test_a_duration_is_one_of_go_s(text, seconds):
    assert float(go_minutes(text) * 60) == seconds


REFUSED = [
    (window(kind="block"), "kind: must be 'allow' or 'deny'"),
    (window(schedule="@daily"), "schedule: '@daily' is no cron expression"),
    (window(schedule="CRON_TZ=Asia/Tokyo 0 9 * * *"), "schedule: 'CRON_TZ=Asia/Tokyo 0 9 * * *' is no cron expression"),
    (window(schedule="0 25 * * *"), "schedule: '25' is no hour"),
    (window(duration="1d"), "duration: '1d' is no duration such as 1h30m"),
    (window(duration="5"), "duration: '5' is no duration"),
    (window(duration="8784h1s"), "duration: '8784h1s' is longer than 366 days"),
    (window(duration=None), "duration: is missing"),
    (window(applications="pay"), "applications: must be a list"),
    (window(manualSync="perhaps"), "manualSync: must be true or false"),
    (window(applications=["{a,b}" * 12]), "stands for more than 1,000"),
    (window(applications=["{" * 30]), "is nested too deeply"),
    ("deny", "it must be an object"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_be_read_is_refused_by_name(tmp_path, given, said):
    with pytest.raises(CalendarError) as raised:
        taken(tmp_path, manifest(window(), given, name="shop"))

    assert "project.yaml: window 1 of the project shop" in str(raised.value)
    assert said in str(raised.value)
    assert not (tmp_path / "calendars").exists()


def test_all_faults_are_named(tmp_path):
    with pytest.raises(CalendarError) as raised:
        taken(tmp_path, manifest(window(kind="x"), window(), window(schedule="x", duration="x")))

    assert [line.split(":")[0] for line in raised.value.lines] == [
        "- window 0, kind",
        "- window 2, schedule",
        "- window 2, duration",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "neither YAML nor JSON"),
        ("{", "neither YAML nor JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("", "no AppProject"),
        ("kind: Application\nspec: {}\n", "no AppProject"),
        ("spec: {syncWindows: {a: b}}", "no list"),
        ("x" * (2 * 2**20 + 1), "at most 2 MiB"),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_is_no_manifest_says_so(tmp_path, text, said):
    with pytest.raises(CalendarError, match=said):
        taken(tmp_path, text)


def test_every_way_in_which_projects_are_printed_is_read(tmp_path):
    one, other = (
        manifest(window(), name="shop"),
        manifest(window(kind="allow", description="open"), window(), name="bank"),
    )
    bare = {"metadata": {"name": "shop"}, "spec": one["spec"]}  # as `argocd proj get` prints it
    several = {"kind": "List", "items": [one, {"kind": "ConfigMap", "spec": {}}, other]}
    ids = ["argo/shop deny-0", "argo/open", "argo/bank deny-1"]

    assert [each.id for each in taken(tmp_path, one)[0].windows] == ["argo/deny-0"]
    assert [each.id for each in taken(tmp_path, bare)[0].windows] == ["argo/deny-0"]
    assert [each.id for each in taken(tmp_path, several)[0].windows] == ids
    assert [each.id for each in taken(tmp_path, json.dumps(several))[0].windows] == ids
    assert [each.id for each in taken(tmp_path, yaml.safe_dump_all([one, other]))[0].windows] == ids
    assert [each.id for each in taken(tmp_path, [one, other])[0].windows] == ids
    assert taken(tmp_path, {"kind": "AppProject", "spec": {"syncWindows": None}})[0].windows == ()


def test_ids_are_their_own_and_hostile_words_stay_words(tmp_path):
    hostile = 'a: [b]\n- c #\u2028\x1b " é'
    calendar, _ = taken(
        tmp_path, manifest(*[window(description=hostile, applications=[hostile.replace("[", "\\[")])] * 2)
    )

    assert [one.id for one in calendar.windows] == ['argo/a: [b] - c # " é', 'argo/a: [b] - c # " é-2']
    assert calendar.windows[0].reason == hostile
    assert calendar.windows[0].admits(Subject(hostile), None)


def test_a_narrower_scope_holds_for_what_windows_leave_open(tmp_path):
    windows = [window(applications=["*"]), window(), window(applications=[], namespaces=["live"])]
    calendar, _ = taken(tmp_path, manifest(*windows, name="shop"), scope={"service": ("shop-*",), "region": ("eu",)})

    assert scopes(calendar) == [(("shop-*",), ()), (("pay",), ()), (("shop-*",), ("live",))]
    assert {one.scope.region for one in calendar.windows} == {("eu",)}


def test_windows_of_one_project_that_become_everybody_s_are_said(tmp_path):
    wide, narrow = manifest(window(applications=["*"]), name="shop"), manifest(window(), name="shop")

    assert "All applications of shop are all services here" in " ".join(taken(tmp_path, wide)[1])
    assert taken(tmp_path, wide, scope={"service": ("shop-*",)})[1] == []
    assert taken(tmp_path, narrow)[1] == []


def fitting(*windows, folder):
    return [one.fit for one in taken(folder, manifest(*windows))[0].windows]


def test_a_sync_that_may_overrun_is_looked_at_by_its_start_alone(tmp_path):
    deny, allow = window(syncOverrun=True), window(kind="allow", syncOverrun=True)

    assert fitting(deny, window(), folder=tmp_path) == ["start", "whole"]
    assert fitting(allow, allow, folder=tmp_path) == ["start", "start"]
    assert fitting(allow, window(kind="allow"), deny, folder=tmp_path) == ["whole", "whole", "start"]


GLOBS = [
    ("pay", ["pay"], ["pay1", "Pay"]),
    ("p?y-*", ["pay-", "p1y-a-b/c"], ["py-"]),
    ("{a,b{1,2}}-x", ["a-x", "b1-x", "b2-x"], ["b-x", "a"]),
    ("{a,b", ["a", "b"], ["{a,b"]),
    ("a,b}", ["a,b}"], ["a"]),
    (r"\*\?\[\{a\,b\}\\", [r"*?[{a,b}" + "\\"], ["a"]),
    (r"{a\,b,c}", ["a,b", "c"], ["a"]),
    ("[a-c]", ["a", "b", "c"], ["d", "-"]),
    ("[!a-c]", ["d", "-"], ["a", ""]),
    ("[ca-]", ["c", "a", "-"], ["b", "]"]),
    ("[!!]", ["a"], ["!"]),
    (r"[ab\]]", ["a", "b", "]"], ["\\"]),
    ("[--/]", ["-", ".", "/"], ["0"]),
    ("[ -~]", [" ", "!", "]", "^", "~"], ["é"]),
    ("a\\", ["a"], ["a\\"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "fit", "unfit"), GLOBS, ids=lambda value: str(value))
def test_a_glob_matches_what_argo_cd_lets_it_match(pattern, fit, unfit):
    def matches(name):
        return any(fnmatchcase(name, glob) for glob in ours(pattern))

    assert [name for name in fit if not matches(name)] == []
    assert [name for name in unfit if matches(name)] == []


@pytest.mark.parametrize("pattern", ["[", "a[b", "[]", "[!]", "[c-a]", "[a-c0]", "[a-", "{[,a}"])
def test_what_argo_cd_cannot_read_as_a_glob_is_none(pattern):
    with pytest.raises(NoGlob):
        ours(pattern)


@given(chosen=st.sets(st.sampled_from("abcz09-!]^[\\*?&~|"), min_size=1), sign=st.sampled_from(["", "!"]))
def test_any_list_of_letters_matches_these_alone(chosen, sign):
    glob = letters(sign, sorted(chosen))

    for letter in "abcdz059-!]^[\\*?&~|.":
        assert fnmatchcase(letter, glob) == ((letter in chosen) != bool(sign)), glob


@given(name=st.text("ab*?[]{}\\,-!", max_size=8))
def test_an_exact_glob_matches_its_name_alone(name):
    assert fnmatchcase(name, exactly(name))
    assert not fnmatchcase(f"{name}a", exactly(name))
    assert is_all(("a", "*"))


NAMES = st.text("ab-*?{},\\", min_size=1, max_size=5)
SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "service": st.lists(NAMES, min_size=1, max_size=2),
        "environment": st.lists(NAMES, min_size=1, max_size=2),
    },
)
WINDOWS = st.builds(
    lambda number, kind, cron, minutes, zone, scope, effect: Window(
        id=f"w{number}", kind=kind, cron=cron, minutes=minutes, tz=zone, scope=scope,
        **{"outside" if kind == "allow" else "effect": effect},
    ),
    number=st.just(0),
    kind=st.sampled_from(["allow", "deny"]),
    cron=CRONS.map(" ".join),
    minutes=st.integers(1, 3000),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]),
    scope=SCOPES,
    effect=st.sampled_from(["block", "approval"]),
)  # fmt: skip
SUBJECTS = [Subject(*names) for names in product(("a", "ab", "a-b", "b{", "*", "\\", "a,b"), ("a", "b-", "{}"))]


def spans(windows, subject, since=SINCE, until=UNTIL):
    """When windows about a subject are open in the period, by their kind and what they ask for."""
    period = np.datetime64(since, "us"), np.datetime64(until, "us")
    found = {}
    for one in windows:
        if one.admits(subject, None):
            found.setdefault((one.kind, one.outside if one.kind == "allow" else one.effect), []).append(
                one.spans(*period)
            )
    joined = {key: union(each) for key, each in found.items()}
    return {
        key: list(
            zip(np.maximum(each.starts, period[0]).tolist(), np.minimum(each.ends, period[1]).tolist(), strict=True)
        )
        for key, each in joined.items()
        if len(each) or key[0] == "allow"
    }


@settings(max_examples=60, deadline=None)
@given(windows=st.lists(WINDOWS, min_size=1, max_size=2))
def test_an_export_comes_back_as_the_same_spans_for_the_same_subjects(tmp_path_factory, windows):
    calendar = Calendar(
        windows=tuple(one.model_copy(update={"id": f"w{number}"}) for number, one in enumerate(windows))
    )
    back, said = taken(tmp_path_factory.mktemp("back"), sync_windows(calendar, SINCE, UNTIL).manifest())

    assert said == []
    for subject in SUBJECTS:
        assert spans(back.windows, subject) == spans(calendar.windows, subject)


@given(glob=NAMES)
def test_a_glob_that_was_exported_comes_back(glob):
    [back] = ours(glob_of(glob))

    assert [fnmatchcase(name, back) for name in ("a", "ab", "a{", "b-a", "\\")] == [
        fnmatchcase(name, glob) for name in ("a", "ab", "a{", "b-a", "\\")
    ]


@given(term=st.sampled_from(["5/2", "1/3", "0-6/2", "*/2", "MON", "3-3/2", "11-1", "sun/2", "1,5/2"]))
def test_weekdays_end_on_saturday(term):
    expected = {
        "5/2": [5],
        "1/3": [1, 4],
        "0-6/2": [0, 2, 4, 6],
        "*/2": [0, 2, 4, 6],
        "MON": [1],
        "3-3/2": [3],
        "sun/2": [0, 2, 4, 6],
        "1,5/2": [1, 5],
    }
    if term not in expected:
        with pytest.raises(ValueError, match="day of week"):
            common_schedule(f"0 0 * * {term}")
        return
    days = parse_cron(common_schedule(f"0 0 * * {term}")).starts(SINCE.date(), (SINCE + timedelta(days=6)).date())

    assert sorted(int(day) for day in (days.astype("datetime64[D]").astype(int) + 4) % 7) == expected[term]


LIVE, TEST = "https://1.2.3.4", "https://kubernetes.default.svc"
APPLICATIONS = (
    Target("pay-live", "pay", LIVE, "", "pay", "live"),
    Target("pay-test", "pay", "", "in-cluster", "pay", "test"),
    Target("web-live", "web", LIVE, "", "web", "live"),
    Target("web-test", "", TEST, "", "web", "test"),
)
ALL = [("pay", "live"), ("pay", "test"), ("web", "live"), ("web", "test")]
RESOLVED = [
    ({"applications": ["pay-*"]}, ALL[:2]),
    ({"applications": ["*"]}, ALL),
    ({"applications": ["pay-live"], "namespaces": ["web"]}, [ALL[0], ALL[2]]),
    ({"applications": ["*-live"], "namespaces": ["web"], "andOperator": True}, [ALL[2]]),
    ({"clusters": ["https://1.*"]}, [ALL[0], ALL[2]]),
    ({"clusters": ["in-cluster"]}, [ALL[1]]),
    ({"clusters": ["*"]}, ALL),
    ({"clusters": ["in-cluster"], "applications": ["web-test"]}, [ALL[1], ALL[3]]),
    ({"clusters": [LIVE], "namespaces": ["pay"], "andOperator": True}, [ALL[0]]),
    ({"clusters": [LIVE], "namespaces": ["["], "andOperator": True}, []),
    ({"clusters": [LIVE], "namespaces": ["["]}, [ALL[0], ALL[2]]),
    ({"namespaces": [""]}, [ALL[3]]),
    ({}, []),
    ({"andOperator": True}, []),
]  # fmt: skip


def resolved(folder, *given, project="shop", applications=APPLICATIONS, **more):
    windows = [SyncWindow(project, number, one, applications) for number, one in enumerate(given)]
    found = understood("argocd x", [(one.project, one.number, one.given) for one in windows], "")
    made, said = of_server("argo", found, windows, names_project=True, **more)
    return read_calendar(write_imported(folder / "argo.json", made)), said


@pytest.mark.parametrize(("chosen", "places"), RESOLVED, ids=str)
def test_a_window_is_about_the_applications_that_argo_cd_matches(tmp_path, chosen, places):
    calendar, _ = resolved(tmp_path, {"kind": "deny", **NIGHT, **chosen})

    about = [place for place in ALL if any(one.admits(Subject(*place), None) for one in calendar.windows)]
    assert about == places
    assert len(calendar.windows) <= 2


@given(places=st.sets(st.tuples(st.sampled_from("abc*["), st.sampled_from("xy?"))))
def test_scopes_are_about_their_places_and_nothing_else(places):
    found = scopes_of(places)
    covered = [
        (service, environment)
        for service, environment in product("abc*[", "xy?")
        for scope in found
        if any(fnmatchcase(service, one) for one in scope["service"])
        and any(fnmatchcase(environment, one) for one in scope["environment"])
    ]

    assert sorted(covered) == sorted(places)


def test_applications_of_one_service_with_allow_windows_of_their_own_are_said(tmp_path):
    twins = (Target("pay-a", "", LIVE, "", "pay", "live"), Target("pay-b", "", LIVE, "", "pay", "live"))
    allow = {"kind": "allow", **NIGHT}
    apart = resolved(
        tmp_path, {**allow, "applications": ["pay-a"]}, {**allow, "applications": ["pay-b"]}, applications=twins
    )
    alike = resolved(tmp_path, {**allow, "applications": ["pay-*"]}, applications=twins)

    assert apart[1] == [
        "pay in live is several applications with allow windows of their own (pay-a, pay-b): here these count as one."
    ]
    assert alike[1] == []


def test_windows_of_a_server_keep_their_ids_whatever_other_projects_have(tmp_path):
    calendar, _ = resolved(
        tmp_path,
        {"kind": "deny", **NIGHT, "applications": ["*"]},
        {"kind": "deny", **NIGHT, "namespaces": ["pay"], "description": "x"},
    )

    assert [one.id for one in calendar.windows] == ["argo/shop deny-0", "argo/x"]
