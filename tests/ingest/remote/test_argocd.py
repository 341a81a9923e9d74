"""Argo CD, as its public OpenAPI description and the types of its API describe it (2.10 to 3.6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from vendor import TOKEN, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused
from shipcast.ingest.remote.sync_windows import SyncWindow, Target
from shipcast.settings.errors import ShipcastError, SourceUnreachable
from shipcast.settings.sources import ArgocdSource

KEPT = 10  # synchronisations that Argo CD remembers


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOCD_TOKEN", TOKEN)


def at(day: int, minute: int = 0) -> str:
    return f"2025-03-{day:02}T10:{minute:02}:00Z"


def sha(letter: str) -> str:
    return letter.lower() * 40


@dataclass
class Application:
    """An application, and the synchronisations that it remembers."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    uid: str = "one"
    images: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    project: str = "default"
    destination: dict[str, str] = field(default_factory=dict)

    def sync(self, day: int, revision: str, **more: Any) -> Application:
        by = {"username": "ada"}
        number = self.history[-1]["id"] + 1 if self.history else 0
        self.history.append(
            {"id": number, "revision": revision, "deployStartedAt": at(day), "deployedAt": at(day, 2), "source": {},
             "initiatedBy": by, **more}
        )  # fmt: skip
        self.history = self.history[-KEPT:]
        return self.operate(day, "Succeeded")

    def operate(self, day: int, phase: str, **sync: Any) -> Application:
        self.state = {
            "phase": phase,
            "startedAt": at(day),
            "finishedAt": None if phase == "Running" else at(day, 2),
            "operation": {"sync": sync, "initiatedBy": {"automated": True}},
            "syncResult": {"revision": sha("f")},
        }
        return self

    @property
    def meta(self) -> dict[str, Any]:
        return {"name": self.name, "namespace": "argocd", "labels": self.labels, "uid": self.uid}

    def listed(self) -> dict[str, Any]:
        state = {name: self.state.get(name) for name in ("phase", "startedAt", "finishedAt")}
        spec = {"project": self.project, "destination": self.destination}
        return {"metadata": self.meta, "spec": spec, "status": {"operationState": state}}

    def whole(self) -> dict[str, Any]:
        status = {"history": self.history, "operationState": self.state, "summary": {"images": self.images}}
        return {"metadata": self.meta, "spec": {"project": self.project}, "status": status}


@dataclass
class Server:
    """What one server knows; of a list it gives the fields that it is asked for, without a history.

    Parameters
    ----------
    projects
        The sync windows of each.
    seen
        The projects that the token may see; None: all, and which there are.
    globals
        The projects that each project has windows of; empty: the server knows no such thing.
    """

    applications: list[Application] = field(default_factory=list)
    projects: dict[str, list[dict[str, Any]] | None] = field(default_factory=lambda: {"default": None})
    seen: set[str] | None = None
    globals: dict[str, list[str]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Told:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Told({"error": "invalid session: token has expired", "code": 16}, 401)
        if asked.path == "/api/v1/applications":
            assert "items.status.operationState.startedAt" in asked.parameters["fields"]
            return Told({"items": [each.listed() for each in self.applications] or None, "metadata": {}})
        if asked.path == "/api/v1/projects":
            assert asked.parameters["fields"] == "items.metadata.name,items.spec.syncWindows"
            shown = [self.project(name) for name in self.projects if self.seen is None or name in self.seen]
            return Told({"items": shown or None, "metadata": {}})
        if asked.path.startswith("/api/v1/projects/"):
            name, _, inherited = asked.path.removeprefix("/api/v1/projects/").partition("/")
            if self.seen is not None and name not in self.seen:
                return Told({"error": "permission denied", "code": 7}, 403)
            if inherited == "globalprojects":
                return (
                    Told({"items": [self.project(each) for each in self.globals[name]]})
                    if self.globals
                    else Told({"error": "Not Found", "code": 5}, 404)
                )
            is_there = name in self.projects
            return Told(self.project(name)) if is_there else Told({"error": "not found", "code": 5}, 404)
        found = [each for each in self.applications if asked.path == f"/api/v1/applications/{each.name}"]
        return Told(found[0].whole()) if found else Told({"error": "permission denied", "code": 7}, 403)

    def project(self, name: str) -> dict[str, Any]:
        windows = self.projects[name]
        return {"metadata": {"name": name}, "spec": {"syncWindows": windows} if windows is not None else {}}


def shop() -> Server:
    shop = Application("shop-production", images=["envoy:1.2", "quay.io/acme/shop:1.4.2"])
    shop.sync(1, sha("a")).sync(2, sha("b")).sync(3, sha("a")).sync(4, sha("c"))
    chart = Application("pay-staging").sync(5, "1.2.3").operate(6, "Failed")
    part = Application("cart-production").sync(7, sha("d")).operate(8, "Failed", resources=[{"kind": "Pod"}])
    return Server([shop, chart, part, Application("root")])


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "home")


@pytest.fixture
def server() -> Server:
    return shop()


@pytest.fixture
def argocd(server: Server) -> Iterator[Vendor]:
    with serving(Vendor(server.answer)) as vendor:
        yield vendor


def source(argocd: Vendor, **more: Any) -> ArgocdSource:
    return ArgocdSource(url=argocd.url, names=True, **more)


def deployments(reader: Reader) -> list[tuple[Any, ...]]:
    return reader.rows(
        "select strftime(started_at, '%d'), service, environment, status, left(commit_sha, 1), version, "
        "substr(rollback_of, strpos(rollback_of, '@') + 1, 10) from raw.deployments order by 1"
    )


def test_each_synchronisation_is_a_deployment_and_so_is_the_last_that_failed(reader: Reader, argocd: Vendor):
    report = reader.read(source(argocd))

    assert deployments(reader) == [
        ("01", "shop", "production", "succeeded", "a", None, None),
        ("02", "shop", "production", "succeeded", "b", None, None),
        ("03", "shop", "production", "succeeded", "a", None, "2025-03-02"),
        ("04", "shop", "production", "succeeded", "c", "1.4.2", None),
        ("05", "pay", "staging", "succeeded", None, "1.2.3", None),
        ("06", "pay", "staging", "failed", "f", None, None),
        ("07", "cart", "production", "succeeded", "d", None, None),
    ]
    assert [warning for warning in report.warnings if "1 application left out" in warning and "root" in warning]
    assert reader.rows("select distinct deployed_by from raw.deployments order by 1") == [("ada",), (None,)]


def test_what_argo_cd_forgets_stays_as_it_was_read(reader: Reader, argocd: Vendor, server: Server):
    reader.read(source(argocd))
    before = deployments(reader)
    asked = len(argocd.asked)
    assert sum(item.read for item in reader.read(source(argocd)).items) == 0
    assert len(argocd.asked) - asked == 1

    for day in range(10, 18):
        server.applications[0].sync(day, sha("abcdef"[day % 2]))
    server.applications[0].images = []
    server.applications[1].sync(20, "1.2.4")
    reader.read(source(argocd))

    found = deployments(reader)
    assert found[:7] == before
    assert len(found) == 16


def test_a_history_that_was_emptied_and_begins_anew_is_read_on(reader: Reader, argocd: Vendor, server: Server):
    reader.read(source(argocd))
    shop = server.applications[0]
    shop.history = []
    shop.sync(8, sha("d")).sync(9, sha("e"))

    assert reader.read(source(argocd)).items[0].inserted == 2
    shop.sync(10, sha("f"))
    assert reader.read(source(argocd)).items[0].inserted == 1


def test_a_token_that_a_server_repeats_is_nowhere_in_what_is_said(reader: Reader, argocd: Vendor, server: Server):
    server.answer = lambda asked: Told({"error": f"{'x' * 190} {TOKEN}"}, 400)  # type: ignore[method-assign]
    argocd.answer = server.answer

    with pytest.raises(ShipcastError) as raised:
        reader.read(source(argocd))
    assert TOKEN[:6] not in str(raised.value)


def test_an_application_made_anew_begins_a_history_of_its_own(reader: Reader, argocd: Vendor, server: Server):
    reader.read(source(argocd))
    server.applications[0] = Application("shop-production", uid="two").sync(21, sha("b"))

    reader.read(source(argocd))

    assert deployments(reader)[7:] == [("21", "shop", "production", "succeeded", "b", None, None)]


def test_a_synchronisation_that_runs_is_read_when_it_has_ended(reader: Reader, argocd: Vendor, server: Server):
    server.applications = [Application("shop-production").operate(1, "Running")]
    reader.read(source(argocd))
    assert deployments(reader) == []

    server.applications[0].sync(1, sha("a"))
    reader.read(source(argocd))

    assert [row[:4] for row in deployments(reader)] == [("01", "shop", "production", "succeeded")]


def test_labels_say_what_and_where_and_several_sources_have_one_commit(reader: Reader, argocd: Vendor, server: Server):
    labels = {"app": "pay", "stage": "live"}
    server.applications = [
        Application("x", labels).sync(1, "", revisions=["4.5.6", sha("e")]),
        Application("y", {"app": "cart"}).sync(2, sha("a")),
    ]

    reader.read(source(argocd, service_label="app", environment_label="stage"))

    assert deployments(reader) == [("01", "pay", "live", "succeeded", "e", "4.5.6", None)]


def test_a_server_may_have_one_environment(reader: Reader, argocd: Vendor, server: Server):
    server.applications = [Application("pay-api").sync(1, sha("a"))]

    reader.read(source(argocd, environment="production"))

    assert [row[1:3] for row in deployments(reader)] == [("pay-api", "production")]


def test_a_pattern_has_to_say_the_service():
    with pytest.raises(ValidationError, match=r"name says no \{service\}"):
        ArgocdSource(url="https://argocd.example.com", name="app-{environment}")


def test_an_application_that_goes_meanwhile_costs_no_other(reader: Reader, argocd: Vendor, server: Server):
    gone = server.applications[1]

    def removing(asked: Asked) -> Told:
        told = server.answer(asked)
        if gone in server.applications:
            server.applications.remove(gone)
        return told

    argocd.answer = removing
    report = reader.read(source(argocd))

    assert len(deployments(reader)) == 5
    assert [warning for warning in report.warnings if "pay-staging could not be read" in warning]


def test_faults_that_pass_change_nothing_and_a_storm_loses_nothing(reader: Reader, argocd: Vendor, server: Server):
    server.applications = [Application(f"s{number:02}-live").sync(1, sha("a")) for number in range(30)]
    argocd.faults = ["429", None, "502", "truncated", None, "drip", "reset", *[None] * 26, *["502"] * 6]
    argocd.skew = 86_400
    with pytest.raises(SourceUnreachable):
        reader.read(source(argocd))
    assert len(deployments(reader)) == 25

    reader.read(source(argocd))

    assert len(deployments(reader)) == 30


def test_an_empty_server_gives_nothing_and_an_expired_token_is_said(reader: Reader, argocd: Vendor, server: Server):
    server.applications = []
    assert sum(item.read for item in reader.read(source(argocd)).items) == 0

    argocd.faults = ["expired"]
    with pytest.raises(CredentialsRefused, match="the token in ARGOCD_TOKEN") as raised:
        reader.read(source(argocd))
    assert TOKEN not in str(raised.value) + repr(raised.value.__dict__)


DENY = {"kind": "deny", "schedule": "0 9 * * *", "duration": "3h", "applications": ["*"]}


def windowed(server: Server) -> Server:
    """Two projects with windows, and one without."""
    where = {"namespace": "pay", "server": "https://1.2.3.4"}
    server.applications = [
        Application("pay-production", project="bank", destination=where).sync(1, sha("a")),
        Application("shop-production", project="").sync(2, sha("b")),
        Application("shop-review", destination={"name": "in-cluster"}).sync(3, sha("c")),
        Application("root", project="infra"),
    ]
    server.projects = {"bank": [DENY, {**DENY, "kind": "allow"}], "default": [DENY], "idle": [DENY]}
    return server


def test_sync_windows_come_with_the_applications_of_their_project(reader: Reader, argocd: Vendor, server: Server):
    windowed(server)
    found = reader.read(source(argocd, sync_windows=True, environments={"review": ""}, services={"pay": "pay-api"}))

    pay = Target("pay-production", "pay", "https://1.2.3.4", "", "pay-api", "production")
    assert found.sync_windows == [
        SyncWindow("bank", 0, DENY, (pay,)),
        SyncWindow("bank", 1, {**DENY, "kind": "allow"}, (pay,)),
        SyncWindow("default", 0, DENY, (Target("shop-production", "", "", "", "shop", "production"),)),
    ]
    assert [each.path for each in argocd.asked].count("/api/v1/applications") == 1
    asked = [each.path.removeprefix("/api/v1/projects") for each in argocd.asked if "project" in each.path]
    assert asked == ["", "/bank/globalprojects", "/default/globalprojects"]


def test_the_windows_of_global_projects_come_behind_a_projects_own(reader: Reader, argocd: Vendor, server: Server):
    windowed(server).projects["everywhere"] = [{**DENY, "duration": "3h"}]
    server.globals = {"bank": ["everywhere", "idle"], "default": []}
    found = reader.read(source(argocd, sync_windows=True)).sync_windows

    own = [(each.project, each.number, each.given["duration"]) for each in found or ()]
    length = DENY["duration"]
    assert own == [
        ("bank", 0, length),
        ("bank", 1, length),
        ("bank", 2, "3h"),
        ("bank", 3, length),
        ("default", 0, length),
    ]


def test_sync_windows_are_asked_for_only_where_they_are_wanted(reader: Reader, argocd: Vendor, server: Server):
    windowed(server)

    assert reader.read(source(argocd)).sync_windows is None
    assert not [each for each in argocd.asked if "project" in each.path]


def test_wanting_sync_windows_reads_no_row_again(reader: Reader, argocd: Vendor, server: Server):
    reader.read(source(argocd))
    report = reader.read(source(argocd, sync_windows=True))

    assert (sum(item.read for item in report.items), report.sync_windows) == (0, [])
    assert not [warning for warning in report.warnings if "from the beginning" in warning]


def test_of_one_project_only_its_windows_are_asked_for(reader: Reader, argocd: Vendor, server: Server):
    windowed(server).seen = {"bank"}
    server.applications = server.applications[:1]
    found = reader.read(source(argocd, project="bank", sync_windows=True)).sync_windows

    assert [(each.project, each.number) for each in found or ()] == [("bank", 0), ("bank", 1)]
    asked = [each.path for each in argocd.asked if "project" in each.path]
    assert asked == ["/api/v1/projects/bank", "/api/v1/projects/bank/globalprojects"]


@pytest.mark.parametrize("seen", [set(), {"default"}])
def test_without_the_right_to_a_project_rows_are_read_and_the_right_is_named(
    reader: Reader, argocd: Vendor, server: Server, seen: set[str]
):
    windowed(server).seen = seen

    with pytest.raises(CredentialsRefused) as raised:
        reader.read(source(argocd, sync_windows=True))

    said = str(raised.value)
    assert "the project bank" in said
    assert "p, role:shipcast, projects, get, *, allow" in said
    assert "The 3 rows that came before are stored." in said
    assert len(deployments(reader)) == 3


def test_a_project_that_is_gone_lets_the_last_windows_stay(reader: Reader, argocd: Vendor, server: Server):
    del windowed(server).projects["bank"]
    report = reader.read(source(argocd, sync_windows=True))

    assert report.sync_windows is None
    assert any("is gone; the last sync windows stay" in each for each in report.warnings)


def test_projects_that_do_not_answer_fail_the_reading_when_the_rows_are_stored(
    reader: Reader, argocd: Vendor, server: Server
):
    windowed(server)
    argocd.faults = [*[None] * 4, *["502"] * 6]
    with pytest.raises(SourceUnreachable):
        reader.read(source(argocd, sync_windows=True))
    assert len(deployments(reader)) == 3

    argocd.faults = [None, "502", "truncated"]
    assert len(reader.read(source(argocd, sync_windows=True)).sync_windows or ()) == 3


def test_a_list_of_projects_that_is_none_is_said(reader: Reader, argocd: Vendor, server: Server):
    windowed(server).projects["bank"] = {"0": DENY}  # type: ignore[assignment]

    with pytest.raises(AnswerUnusable, match="not what its description promises"):
        reader.read(source(argocd, sync_windows=True))
