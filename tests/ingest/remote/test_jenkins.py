"""Jenkins, as the page `/api` of any server describes its remote access API (2.400 and later)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from vendor import TOKEN, Asked, Reader, Told, Vendor, serving

from shipcast.ingest.errors import CredentialsRefused, NothingThere
from shipcast.ingest.files import silent
from shipcast.ingest.remote.connectors import connector
from shipcast.ingest.remote.reading import Nothing
from shipcast.settings.errors import SourceUnreachable
from shipcast.settings.sources import JenkinsSource

MARCH = 1_740_823_200_000  # 2025-03-01 10:00 UTC, in milliseconds
HOUR = 3_600_000


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JENKINS_TOKEN", TOKEN)
    monkeypatch.setenv("JENKINS_USER", "butler")


def build(number: int, result: str | None, *actions: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": number,
        "timestamp": MARCH + number * HOUR,
        "duration": 0 if result is None else 90_250,
        "building": result is None,
        "result": result,
        "actions": [{}, *actions],
    }


def parameters(**given: Any) -> dict[str, Any]:
    return {"parameters": [{"name": name, "value": value} for name, value in given.items()]}


def checkout(commit: str, repository: str) -> dict[str, Any]:
    return {
        "lastBuiltRevision": {"SHA1": commit * 20},
        "remoteUrls": [f"https://git.example.com/acme/{repository}.git"],
    }


@dataclass
class Job:
    """What Jenkins knows of one job; it lists the newest build first."""

    builds: dict[int, dict[str, Any]] = field(default_factory=dict)
    following: int = 1
    defined: list[str] = field(default_factory=list)

    def take(self, *builds: dict[str, Any]) -> None:
        self.builds.update((each["number"], each) for each in builds)
        self.following = max(each["number"] for each in builds) + 1

    def answer(self, asked: Asked) -> Told:
        shown = asked.headers.get("authorization", "").removeprefix("Basic ")
        if base64.b64decode(shown).decode() != f"butler:{TOKEN}":
            return Told(status=401, raw=b"<html>Unauthorized</html>")
        found = re.fullmatch(r"/job/team/job/deploy%20shop/(?:(\d+)/)?api/json", asked.path)
        if found is None or (found[1] and int(found[1]) not in self.builds):
            return Told(status=404, raw=b"<html>Not found</html>")
        if found[1]:
            return Told(self.builds[int(found[1])])
        if asked.parameters["tree"] == "nextBuildNumber":
            return Told({"_class": "hudson.model.FreeStyleProject", "nextBuildNumber": self.following})
        if asked.parameters["tree"] == "property[parameterDefinitions[name]]":
            return Told({"property": [{}, {"parameterDefinitions": [{"name": name} for name in self.defined]}]})
        begin, end = map(int, re.findall(r"\{(\d+),(\d+)\}$", asked.parameters["tree"])[0])
        listed = sorted(self.builds.values(), key=lambda each: -each["number"])
        return Told({"_class": "hudson.model.FreeStyleProject", "allBuilds": listed[begin:end]})


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path / "home")


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture
def jenkins(job: Job) -> Iterator[Vendor]:
    with serving(Vendor(job.answer)) as vendor:
        yield vendor


def source(jenkins: Vendor, **more: Any) -> JenkinsSource:
    return JenkinsSource(job="team/deploy shop", url=jenkins.url, names=True, **more)


def numbers(reader: Reader) -> list[int]:
    found = reader.rows("select split_part(deployment_id, '#', 2)::int from raw.deployments order by 1")
    return [number for (number,) in found]


def test_a_build_deploys_what_its_parameters_say(reader: Reader, jenkins: Vendor, job: Job):
    job.take(
        build(1, "SUCCESS", parameters(SERVICE="pay", STAGE="live", TAG="1.4"), {"causes": [{"userId": "ada"}, {}]}),
        build(2, "FAILURE", parameters(SERVICE="cart", STAGE=""), checkout("ab", "cart")),
        build(3, "UNSTABLE", parameters(SERVICE="pay"), checkout("cd", "library"), checkout("ef", "pay")),
        build(4, "ABORTED", parameters(SERVICE="pay")),
        build(5, None, parameters(SERVICE="pay")),
        build(6, "SUCCESS"),
    )
    asked = {"service_parameter": "SERVICE", "environment_parameter": "STAGE", "version_parameter": "TAG"}

    report = reader.read(source(jenkins, repository="acme/pay", **asked))

    found = reader.rows(
        "select right(deployment_id, 2), service, environment, status, left(commit_sha, 2), version, deployed_by, "
        "strftime(started_at, '%H:%M'), strftime(finished_at, '%H:%M:%S') from raw.deployments order by 1"
    )
    assert found == [
        ("#1", "pay", "live", "succeeded", None, "1.4", "ada", "11:00", "11:01:30"),
        ("#2", "cart", "production", "failed", None, None, None, "12:00", "12:01:30"),
        ("#3", "pay", "production", "succeeded", "ef", None, None, "13:00", "13:01:30"),
        ("#4", "pay", "production", "cancelled", None, None, None, "14:00", "14:01:30"),
        ("#5", "pay", "production", "running", None, None, None, "15:00", None),
    ]
    assert [warning for warning in report.warnings if "without the parameter SERVICE" in warning]


def test_what_is_new_or_has_ended_since_is_read_and_what_jenkins_deletes_stays(
    reader: Reader, jenkins: Vendor, job: Job
):
    job.take(*(build(number, "SUCCESS") for number in range(1, 251)), build(251, None), build(252, None))
    reader.read(source(jenkins))
    assert numbers(reader) == list(range(1, 253))
    asked = len(jenkins.asked)

    job.take(build(251, "FAILURE"), build(253, "SUCCESS"))
    for number in [*range(1, 200), 252]:
        del job.builds[number]
    report = reader.read(source(jenkins))

    assert sum(item.inserted for item in report.items) == 1
    assert len(jenkins.asked) - asked == 4
    assert numbers(reader) == list(range(1, 254))
    assert reader.rows("select status from raw.deployments where deployment_id like '%#251'") == [("failed",)]


def test_builds_deleted_or_begun_while_they_are_paged_cost_no_other(reader: Reader, jenkins: Vendor, job: Job):
    job.take(*(build(number, "SUCCESS") for number in range(1, 451)))

    def moving(asked: Asked) -> Told:
        told = job.answer(asked)
        if "allBuilds" in asked.parameters["tree"]:
            newest = sorted(job.builds)[-150:]
            for number in newest[:120]:
                del job.builds[number]
            job.take(build(job.following, "SUCCESS"))
        return told

    jenkins.answer = moving
    reader.read(source(jenkins))

    read = set(numbers(reader))
    assert read >= set(job.builds) - {number for number in job.builds if number > 450}
    assert read >= set(range(351, 451))


def test_a_walk_that_is_cut_off_goes_on_where_it_was(reader: Reader, jenkins: Vendor, job: Job):
    job.take(*(build(number, "SUCCESS") for number in range(1, 351)))
    jenkins.faults = [None, None, None] + ["502"] * 6
    with pytest.raises(SourceUnreachable):
        reader.read(source(jenkins))
    assert numbers(reader) == list(range(152, 351))

    job.take(build(351, "SUCCESS"))
    asked = len(jenkins.asked)
    reader.read(source(jenkins))

    assert numbers(reader) == list(range(1, 352))
    assert len(jenkins.asked) - asked == 4


def test_a_job_made_anew_is_read_from_its_first_build(reader: Reader, jenkins: Vendor, job: Job):
    job.take(build(1, "SUCCESS"), build(2, "SUCCESS"), build(3, "SUCCESS"))
    reader.read(source(jenkins))
    job.builds.clear()
    job.take(build(1, "FAILURE"))

    report = reader.read(source(jenkins))

    assert reader.rows("select status, count(*) from raw.deployments group by 1 order by 1") == [
        ("failed", 1),
        ("succeeded", 2),
    ]
    assert [warning for warning in report.warnings if "from 1 again" in warning]


def later(*numbers: int) -> list[dict[str, Any]]:
    """Builds of a job that was made after all those of `build` had ended."""
    return [{**build(number, "FAILURE"), "timestamp": MARCH + (5_000 + number) * HOUR} for number in numbers]


def statuses(reader: Reader) -> dict[int, str]:
    return dict(reader.rows("select split_part(deployment_id, '#', 2)::int, status from raw.deployments"))


@pytest.mark.parametrize("discarded", [0, 1, 3, 4], ids="{} of the new builds are discarded".format)
@pytest.mark.parametrize("builds", [3, 5, 250])
def test_a_job_made_anew_that_has_overtaken_what_was_read_is_read_from_its_first_build(
    reader: Reader, jenkins: Vendor, job: Job, builds: int, discarded: int
):
    job.take(build(1, "SUCCESS"), build(2, "SUCCESS"), build(3, "SUCCESS"))
    reader.read(source(jenkins))
    job.builds.clear()
    job.take(*later(*range(1, builds + 1)))
    for number in range(1, discarded + 1):
        job.builds.pop(number, None)

    report = reader.read(source(jenkins))

    read = {1: "succeeded", 2: "succeeded", 3: "succeeded"}
    assert statuses(reader) == read | dict.fromkeys(job.builds, "failed")
    assert any("from 1 again" in warning for warning in report.warnings) == bool(job.builds.keys() & {1, 2, 3})
    assert reader.read(source(jenkins)).warnings == []


def test_a_job_is_no_other_because_its_newest_known_build_is_discarded(reader: Reader, jenkins: Vendor, job: Job):
    job.take(*(build(number, "SUCCESS") for number in range(1, 6)))
    reader.read(source(jenkins))
    for gone in (5, 4):  # by hand; then all that were read, as the retention does
        del job.builds[gone]
        job.take(build(job.following, "SUCCESS"))
        assert reader.read(source(jenkins)).warnings == []
    job.builds = {8: build(8, "SUCCESS")}
    report = reader.read(source(jenkins))

    assert (sum(item.read for item in report.items), report.warnings) == (1, [])


def test_a_mark_without_a_time_goes_on_and_has_one_from_then_on(jenkins: Vendor, job: Job):
    job.take(*(build(number, "SUCCESS") for number in range(1, 4)))
    asked = connector(source(jenkins), Nothing(), silent)
    [listing] = asked.listings()

    [batch] = listing.read({"newest": 3, "open": [], "walk": None})
    job.builds.clear()
    job.take(*later(1, 2, 3, 4))
    [again] = listing.read(batch.mark)

    assert (batch.rows["deployments"], batch.mark["at"]) == ([], MARCH + 3 * HOUR)
    assert (len(again.rows["deployments"]), again.mark["newest"]) == (4, 4)


def test_only_builds_since_a_day_are_read(reader: Reader, jenkins: Vendor, job: Job):
    job.take(*(build(number, "SUCCESS") for number in range(1, 251)))

    reader.read(source(jenkins, since="2025-03-10"))

    assert numbers(reader) == list(range(206, 251))
    assert len(jenkins.asked) == 2


def test_faults_that_pass_change_nothing(reader: Reader, jenkins: Vendor, job: Job):
    job.take(*(build(number, "SUCCESS") for number in range(1, 151)))
    jenkins.faults = ["429", None, "502", "truncated", None, "drip", "reset"]
    jenkins.skew = -86_400

    reader.read(source(jenkins))

    assert numbers(reader) == list(range(1, 151))


def test_a_job_without_builds_gives_nothing_and_an_unknown_one_is_named(reader: Reader, jenkins: Vendor):
    assert sum(item.read for item in reader.read(source(jenkins)).items) == 0

    with pytest.raises(NothingThere, match="team/other"):
        reader.read(JenkinsSource(job="team/other", url=jenkins.url))


def test_a_token_needs_its_user_and_neither_is_shown(reader: Reader, jenkins: Vendor, monkeypatch: pytest.MonkeyPatch):
    jenkins.faults = ["expired"]
    with pytest.raises(CredentialsRefused, match="the token in JENKINS_TOKEN") as raised:
        reader.read(source(jenkins))
    shown = str(raised.value) + repr(raised.value.__dict__)
    assert TOKEN not in shown
    assert base64.b64encode(f"butler:{TOKEN}".encode()).decode() not in shown

    monkeypatch.delenv("JENKINS_USER")
    with pytest.raises(CredentialsRefused, match="JENKINS_USER is not set"):
        reader.read(source(jenkins))


def test_a_user_that_is_not_known_is_doubted_before_rights_are(
    reader: Reader, jenkins: Vendor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("JENKINS_USER", "baxter")

    with pytest.raises(CredentialsRefused) as refused:
        reader.read(source(jenkins))
    assert refused.value.next_step.startswith("See whether JENKINS_USER names the right user, and whether the token is")


def test_the_user_may_stand_in_a_file_and_moving_there_reads_nothing_anew(
    reader: Reader, jenkins: Vendor, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("JENKINS_USER")
    (tmp_path / "user").write_text("butler\n")
    job.take(build(1, "SUCCESS"))
    told = source(jenkins, user_file=tmp_path / "user")
    reader.read(told)

    assert numbers(reader) == [1]
    assert told.options == source(jenkins).options
