"""Jenkins, asked for the builds of one job through its remote access API (`api/json?tree=allBuilds[...]{from,to}`).

- A build of the job is a deployment. It starts when Jenkins took it up, and ends after as long as it says it ran.
- UNSTABLE is succeeded: it went on to its end, and something warned. FAILURE is failed, ABORTED and NOT_BUILT are
  cancelled, and so is a build that no longer runs and has no result.
- What it deploys and where to, parameters say or the settings. The commit is the one that was checked out; where
  several repositories were, that of the repository which the settings name, else none is known.
- Builds that Jenkins deletes stay: it keeps few, and a deleted build has deployed all the same.

Jenkins lists the newest first and counts pages off from there, so each page is read over the end of the one before, and
further up where it does not meet it, since builds in front were deleted. A list that was interrupted is first read to
its end. Builds that ran when they were read are asked for one by one until they have ended.

A job that was made anew counts from 1 again and may have overtaken the newest number that was read. It is told by the
times: each walk comes down to that number, where a build of it that began at another time, or one below it that began
later, is none that was read before. That the number is missing says nothing, since Jenkins discards old builds; where
nothing at or below it is left, there is nothing to read there either.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from shipcast.ingest.errors import AnswerUnusable, CredentialsRefused, NothingThere
from shipcast.ingest.remote.listing import Batch, Listing, Mark, Recall, Record
from shipcast.ingest.remote.misfits import Kind, Sieve, moment, number_of
from shipcast.ingest.remote.site import Site
from shipcast.settings.secrets import secret
from shipcast.settings.sources import JenkinsSource

PAGE = 100
SHOWN = "actions[parameters[name,value],lastBuiltRevision[SHA1],remoteUrls,causes[userId]]"
BUILD = f"number,timestamp,duration,building,result,{SHOWN}"
LISTED = Kind("deployments", ("number", "timestamp", "duration", "building", "result"))
BEGINNING: Mark = {"newest": 0, "at": None, "open": [], "walk": None}
TOP: Mark = {"begin": 0, "last": None, "newest": 0, "at": None}
RESULTS = {
    "SUCCESS": "succeeded",
    "UNSTABLE": "succeeded",
    "FAILURE": "failed",
    "ABORTED": "cancelled",
    "NOT_BUILT": "cancelled",
}


@dataclass
class Jenkins:
    """One job."""

    source: JenkinsSource
    site: Site
    recall: Recall
    warnings: list[str] = field(default_factory=list)
    sieve: Sieve = field(default_factory=Sieve)

    def __post_init__(self) -> None:
        self.parameters = set[str]()  # that builds had
        self.site.advice = "The user needs Overall/Read and Job/Read, and an API token of their own."
        named = self.source.user_file or self.source.user_env
        self.site.unknown = (
            f"See whether {named} names the right user, and whether the token is theirs and not expired."
        )
        user = secret(self.source.user_env, self.source.user_file, self.source.label)
        if user is None:
            raise CredentialsRefused(
                f"{self.source.label}: the variable {self.source.user_env} is not set; Jenkins asks whose token it is.",
                next_step=f"export {self.source.user_env}=..., or name another by user_env, or a file by user_file.",
            )
        self.site.carry_as(user)

    def listings(self) -> Sequence[Listing]:
        return [Listing("builds", ("deployments",), self.builds)]

    def all_names(self) -> dict[str, set[str]]:
        """See `Naming`: the parameters that the job asks for, or that the builds had which were read."""
        found = self.asked("", "property[parameterDefinitions[name]]").get("property") or ()
        defined = {str(each["name"]) for part in found for each in part.get("parameterDefinitions") or ()}
        return {"parameter": defined | self.parameters}

    def asked(self, path: str, tree: str) -> Mapping[str, Any]:
        job = "/".join(f"job/{quote(part, safe='')}" for part in self.source.job.strip("/").split("/"))
        found = self.site.get(f"{job}/{path}api/json", {"tree": tree}).data
        if not isinstance(found, dict):
            raise AnswerUnusable(f"{self.site.name}: Jenkins answers with something that is no object.")
        return found

    def builds(self, mark: Mark | None) -> Iterator[Batch]:
        """Mark: `newest`, all up to which is known; `at`, its time; `open`, those that still ran; `walk`, if cut."""
        mark = self.checked(mark or BEGINNING)
        for part in (self.ended, self.resumed, self.walked):
            for batch in part(mark):
                mark = batch.mark
                yield batch

    def checked(self, mark: Mark) -> Mark:
        """The mark, or that of a beginning where the job was made anew and counts from 1 again."""
        following = self.asked("", "nextBuildNumber").get("nextBuildNumber")
        if isinstance(following, bool) or not isinstance(following, int) or following > mark["newest"]:
            return mark
        return self.beginning()

    def recognised(self, mark: Mark, page: Sequence[Any]) -> Mark:
        """The mark with its build's time, if that was not kept; or that of a beginning where the job was made anew."""
        number, at = mark["newest"], mark.get("at")
        times = {build["number"]: build["timestamp"] for build in page if build["number"] <= number}
        if at is None:
            return {**mark, "at": times.get(number)}
        is_same = times[number] == at if number in times else max(times.values(), default=at) <= at
        return mark if is_same else {**self.beginning(), "open": mark["open"], "walk": mark["walk"]}

    def beginning(self) -> Mark:
        self.warnings.append(
            f"{self.site.name}: its builds are counted from 1 again; they take the place of those of the same number."
        )
        return BEGINNING

    def resumed(self, mark: Mark) -> Iterator[Batch]:
        """The rest of a walk that was cut off."""
        return self.walked(mark, mark["walk"]) if mark["walk"] else iter(())

    def walked(self, mark: Mark, walk: Mark = TOP) -> Iterator[Batch]:
        """One walk from the newest build, or from where it was cut off, down to what is known."""
        begin, last, running, is_over = walk["begin"], walk["last"], [*mark["open"]], False
        top = (walk["newest"], walk.get("at"))
        while not is_over:
            page, given = self.page(begin)
            if begin and last and is_apart(page, given, last):
                begin = max(0, begin - PAGE)
                continue
            mark = self.recognised(mark, page)
            fresh = [build for build in page if mark["newest"] < build["number"] < (last or math.inf)]
            fresh = [build for build in fresh if build["timestamp"] >= self.oldest]
            running += [build["number"] for build in fresh if build["building"]]
            top = max([top, *((build["number"], build["timestamp"]) for build in fresh)], key=itemgetter(0))
            last = fresh[-1]["number"] if fresh else last
            begin, is_over = (
                begin + PAGE - 1,
                len(given) < PAGE or any(self.is_known(build, mark) for build in page[-1:]),
            )
            newest, at = max((mark["newest"], mark["at"]), top, key=itemgetter(0))
            known = {"newest": newest, "at": at, "open": [*running], "walk": None}
            rest = {"begin": begin, "last": last, "newest": top[0], "at": top[1]}
            cut = {**known, "newest": mark["newest"], "at": mark["at"], "walk": rest}
            yield Batch({"deployments": self.deployments(fresh)}, known if is_over else cut)

    def is_known(self, build: Any, mark: Mark) -> bool:
        """Whether neither it nor what was built before it is wanted any more."""
        return bool(build["number"] <= mark["newest"] or build["timestamp"] < self.oldest)

    @property
    def oldest(self) -> float:
        """The milliseconds since 1970 from which builds are wanted."""
        return self.source.begins_at.timestamp() * 1000 if self.source.begins_at else -math.inf

    def ended(self, mark: Mark) -> Iterator[Batch]:
        """What became of the builds that ran; one that is gone meanwhile stays as it was seen."""
        running, builds = list[int](), list[Any]()
        for number in mark["open"]:
            try:
                build = self.asked(f"{number}/", BUILD)
            except NothingThere:
                continue
            if self.readable([build]) and not build["building"]:
                builds.append(build)
            else:
                running.append(number)
        if len(running) < len(mark["open"]):
            yield Batch({"deployments": self.deployments(builds)}, {**mark, "open": running})

    def page(self, begin: int) -> tuple[list[Any], list[Any]]:
        """The builds at these places of Jenkins' list that can be read, newest first, and all that it gives there."""
        builds = self.asked("", f"allBuilds[{BUILD}]{{{begin},{begin + PAGE}}}").get("allBuilds")
        found = builds if isinstance(builds, list) else []
        return self.readable(found), found

    def readable(self, builds: Sequence[Any]) -> list[Any]:
        made = (
            lambda build: number_of(build["number"]),
            lambda build: moment(instant(build["timestamp"])),
            self.deployment,
        )
        return self.sieve.readable(LISTED, builds, *made, deployment_id=self.identity)

    def identity(self, build: Any) -> str:
        return f"{self.source.prefix}/{self.source.job}#{number_of(build['number'])}"

    def deployments(self, builds: Sequence[Any]) -> list[Record]:
        """The builds of which it is known what they deploy."""
        rows = [self.deployment(build) for build in builds]
        told = f"{self.site.name}: builds without the parameter {self.source.service_parameter} are left out."
        if any(row["service"] is None for row in rows) and told not in self.warnings:
            self.warnings.append(told)
        return [row for row in rows if row["service"] is not None]

    def deployment(self, build: Any) -> Record:
        source, actions = self.source, [action for action in build.get("actions") or () if action]
        given = {each["name"]: each.get("value") for action in actions for each in action.get("parameters") or ()}
        self.parameters.update(given)
        users = [cause["userId"] for action in actions for cause in action.get("causes") or () if cause.get("userId")]
        status = "running" if build["building"] else RESULTS.get(build["result"], "cancelled")
        return {
            "deployment_id": self.identity(build),
            "service": said(given, source.service_parameter) or source.owned_service,
            "environment": said(given, source.environment_parameter) or source.environment,
            "started_at": instant(build["timestamp"]),
            "finished_at": None if build["building"] else instant(build["timestamp"] + build["duration"]),
            "status": status,
            "commit_sha": self.commit(actions),
            "version": said(given, source.version_parameter),
            "deployed_by": users[0] if users else None,
        }

    def commit(self, actions: Sequence[Any]) -> str | None:
        """The commit that was checked out; None: none was, or it is not known which of several."""
        end = (self.source.repository or "").removesuffix(".git")
        commits = {
            action["lastBuiltRevision"]["SHA1"]
            for action in actions
            if action.get("lastBuiltRevision")
            and any(url.removesuffix(".git").endswith(end) for url in action.get("remoteUrls") or [""])
        }
        return commits.pop() if len(commits) == 1 else None


def is_apart(page: Sequence[Any], given: Sequence[Any], last: int) -> bool:
    """Whether a page does not reach up to the last build that was read; where its first cannot be read, it does."""
    return page[0]["number"] < last if page and page[0] is given[0] else not given


def said(given: Mapping[str, Any], parameter: str | None) -> str | None:
    """What a parameter says; None: nothing."""
    value = given.get(parameter) if parameter else None
    return None if value is None or value == "" else str(value)


def instant(milliseconds: int) -> str:
    """An instant that Jenkins counts from 1970.

    >>> instant(1_741_082_400_250)
    '2025-03-04T10:00:00.250000+00:00'
    """
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).isoformat()
