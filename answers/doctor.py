"""What is missing, stale or broken in a home, the command that mends it, and what its data can say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

from pydantic import Field

from shipcast.answers.answer import Answer
from shipcast.answers.audit import ledger_findings
from shipcast.answers.channel_findings import channel_findings
from shipcast.answers.company import NOTHING_KNOWN, company_rules
from shipcast.answers.findings import Finding, State
from shipcast.answers.metric_queries import IS_LINK_KNOWN, PROXIES
from shipcast.answers.metrics import proxy_said
from shipcast.answers.model_findings import code_findings, model_findings
from shipcast.answers.operations import envelope
from shipcast.answers.reading import Reader, Refused, open_reader
from shipcast.answers.statistics import FEWEST_FOR_A_MEDIAN, wilson
from shipcast.answers.words import age, listing, plural, share
from shipcast.ingest.health import Health, health
from shipcast.scheduling.calendar.errors import CalendarError
from shipcast.scheduling.calendar.files import unread
from shipcast.settings import Settings, settings_file
from shipcast.settings.errors import ConfigurationError, Locked, StorageError
from shipcast.settings.secrets import Reference, needed
from shipcast.settings.sources import EventsSource, RemoteSource
from shipcast.warehouse.connection import WORK_FILE, open_beside
from shipcast.warehouse.damage import told
from shipcast.warehouse.errors import NothingPublished
from shipcast.warehouse.integrity import Fault, faults
from shipcast.warehouse.lock import run_lock
from shipcast.warehouse.snapshot import Snapshot, current

LOW_SPACE_GIB = 1.0
ENOUGH_FAILURES = 10

CHANGED = "select max(loaded_at), max(load_id) from raw._loads where inserted + updated > 0"
COUNTED = "is_production and completed_at <= $as_of and status in ('succeeded', 'failed', 'rolled_back')"
RECOVERED = f"""
    select cause_deployment_id from fct_incidents where started_at <= $as_of and {IS_LINK_KNOWN}
    group by all having bool_and(coalesce(resolved_at <= $as_of, false))"""
KNOWN = (
    f"select count(*) from fct_deployments where {COUNTED}",
    f"select count(*) from fct_deployments where {COUNTED} and failed_at <= $as_of",
    f"select count(*) from fct_deployments where {COUNTED} and failed_at <= $as_of and settled_at <= $as_of",
    "select count(*) from fct_incidents where is_production and started_at <= $as_of",
    "select count(*) from fct_incidents where is_production and resolved_at <= $as_of",
    f"select count(*) from fct_deployments where {COUNTED} and failed_at <= $as_of and deployment_id in ({RECOVERED})",
    "select count(distinct change_id) from fct_changes where known_at <= $as_of",
    "select count(distinct service) from fct_load_hourly where known_at <= $as_of",
)


class DoctorAnswer(Answer):
    schema_name: Literal["shipcast/doctor/1"] = Field("shipcast/doctor/1", alias="schema")
    items: tuple[Finding, ...]
    sentence: str
    can_be_said: str | None
    repaired: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """That of a storage error where a file is broken; what is missing, stale or scarce is no error."""
        is_broken = any(item.state == "broken" and item.subject != "disk" for item in self.items)
        return StorageError.exit_code if is_broken else 0


def doctor(settings: Settings, as_of: datetime, repaired: Sequence[str] = ()) -> DoctorAnswer:
    """The state of a home: never raises for what it finds broken, since saying so is its job.

    Parameters
    ----------
    repaired
        What was mended just before, in words.
    """
    findings = [*home_findings(settings), *code_findings(settings), *ledger_findings(settings)]
    findings += calendar_findings(settings, as_of)
    findings += storage_findings(settings)
    can_be_said, data_as_of = None, None
    try:
        with open_reader(settings, as_of) as reader:
            data_as_of = reader.data_as_of
            findings += [*snapshot_findings(settings, reader), *model_findings(reader)]
            can_be_said = what_can_be_said(reader)
    except NothingPublished:
        findings.append(missing_snapshot(settings))
    except StorageError as error:
        if not any(finding.subject in ("snapshot", "pointer") for finding in findings):
            findings.append(Finding(subject="snapshot", state="broken", finding=error.detail, remedy=error.next_step))
    return DoctorAnswer(
        **envelope(as_of, data_as_of),
        items=tuple(findings),
        sentence=sentence(findings),
        can_be_said=can_be_said,
        repaired=tuple(repaired),
    )


def findings_beside_runs(reader: Reader) -> tuple[Finding, ...]:
    """What can be looked at while a run is at work, and lets one begin: all but the files that a run writes.

    Whether these are whole, and whether loaded data waits for a build, is only `doctor` to say.
    """
    settings = reader.settings
    looked_at = (
        home_findings(settings),
        code_findings(settings),
        ledger_findings(settings),
        calendar_findings(settings, reader.as_of),
    )
    return (*chain(*looked_at), *snapshot_findings(settings, reader), *model_findings(reader))


def sentence(findings: Sequence[Finding]) -> str:
    wrong = [finding for finding in findings if finding.state != "good"]
    if not wrong:
        return f"All is well: {plural(len(findings), 'check')}, nothing missing, stale or broken."
    names = ", ".join(f"{finding.subject} {finding.state}" for finding in wrong)
    return f"{len(wrong)} of {plural(len(findings), 'check')} need attention: {names}."


def home_findings(settings: Settings) -> Iterator[Finding]:
    path = settings_file(settings.home)
    yield Finding(
        subject="settings",
        state="good",
        finding=f"read from {path}" if path else "all defaults; there is no shipcast.toml",
        remedy=None if path else "shipcast init",
    )
    existing = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    yield Finding(
        subject="disk",
        state="good" if free >= LOW_SPACE_GIB else "broken",
        finding=f"{free:,.1f} GiB free for {settings.home}",
        remedy=None if free >= LOW_SPACE_GIB else "free some space, or move the home: --home DIR",
    )
    known = health(settings.home)
    for source in settings.sources:
        if isinstance(source, RemoteSource):
            yield remote_finding(source, known.get(source.label))
        elif not isinstance(source, EventsSource):
            yield local_finding(source.path)
    yield from hook_findings(settings)
    yield from channel_findings(settings)


def hook_findings(settings: Settings) -> Iterator[Finding]:
    """Whether there is the secret of each source that takes webhooks."""
    for source in settings.sources:
        if isinstance(source, RemoteSource | EventsSource) and (source.hook_env or source.hook_file):
            yield hook_finding(source)


def local_finding(path: Path) -> Finding:
    """Whether what a source reads is there."""
    there = path.exists()
    return Finding(
        subject="source",
        state="good" if there else "missing",
        finding=f"{path} {'is there' if there else 'does not exist'}",
        remedy=None if there else "correct its path in shipcast.toml",
    )


def remote_finding(source: RemoteSource, last: Health | None) -> Finding:
    """Whether there is a token for a source, and whether it answered the last run; one that is not asked needs none."""
    if source.is_told_alone:
        said = f"{source.label}: is told of by webhooks alone, since {source.variable} is not set"
        return Finding(subject="source", state="good", finding=said, remedy=None)
    try:
        is_ready = source.token() is not None or not source.needs_token
        found, remedy = f"{source.label}: the variable {source.variable} is not set", f"export {source.variable}=..."
    except ConfigurationError as error:
        is_ready, found, remedy = False, error.detail, error.next_step
    if is_ready and last is not None and last.failure:
        return Finding(
            subject="source", state="stale", finding=last.failure, remedy="shipcast run, once that is mended"
        )
    return Finding(
        subject="source",
        state="good" if is_ready else "missing",
        finding=f"{source.label}: has what it needs to be asked" if is_ready else found,
        remedy=None if is_ready else remedy,
    )


def hook_finding(source: RemoteSource | EventsSource) -> Finding:
    """Whether there is the secret that a source's webhooks are signed with."""
    try:
        needed(Reference("the secret of its webhooks", source.hook_env, source.hook_file), source.label)
    except ConfigurationError as error:
        return Finding(subject="source", state="missing", finding=error.detail, remedy=error.next_step)
    said = f"{source.label}: has the secret of its webhooks"
    return Finding(subject="source", state="good", finding=said, remedy=None)


@dataclass(frozen=True)
class Loaded:
    """What the work database says of its loads: when data last came in and by which load, and what was refused."""

    loaded_at: datetime | None
    load_id: int | None
    refused_rows: int
    refused_files: int


def calendar_findings(settings: Settings, as_of: datetime) -> Iterator[Finding]:
    """Whether the calendar can be used; nothing where there is none, or where the ledger beside it is at fault."""
    try:
        rules = company_rules(settings, as_of, NOTHING_KNOWN)
    except CalendarError as error:
        said = " ".join((error.detail, *error.lines))
        yield Finding(subject="calendar", state="broken", finding=said, remedy=error.next_step)
    except StorageError:
        return
    else:
        if rules.files:
            said = f"{plural(len(rules.files), 'file')} in force: {listing([str(path) for path in rules.files])}"
            yield Finding(subject="calendar", state="good", finding=said, remedy=None)
        for said in unread(settings):
            yield Finding(subject="calendar", state="missing", finding=said, remedy="shipcast run")


def storage_findings(settings: Settings) -> Iterator[Finding]:
    """What is wrong with the home's files, and what the work database holds; left alone while a run is at work."""
    if not settings.home.exists():
        yield nothing_loaded()
        return
    try:
        with run_lock(settings.home, "doctor"):
            found = list(faults(settings.home))
            is_legible = not any(fault.kind in ("database", "log") for fault in found)
            loaded = read_loaded(settings) if is_legible and (settings.home / WORK_FILE).exists() else None
    except Locked as error:
        yield Finding(subject="lock", state="good", finding=error.detail, remedy=None)
        return
    except StorageError as error:
        yield Finding(subject="home", state="broken", finding=error.detail, remedy=error.next_step)
        return
    yield from map(fault_finding, found)
    if loaded is None:
        if is_legible:
            yield nothing_loaded()
        return
    yield from load_findings(settings, loaded)
    rows, files = loaded.refused_rows, loaded.refused_files
    yield Finding(
        subject="quarantine",
        state="good" if not rows else "stale",
        finding=f"{plural(rows, 'refused row')} from {plural(files, 'file')}" if rows else "no refused rows",
        remedy="shipcast quarantine list" if rows else None,
    )


def nothing_loaded() -> Finding:
    return Finding(
        subject="data", state="missing", finding="nothing was loaded yet", remedy="shipcast ingest files DIR"
    )


def fault_finding(fault: Fault) -> Finding:
    state: State = "broken" if fault.is_broken else "stale"
    return Finding(subject=fault.kind, state=state, finding=fault.finding, remedy=fault.remedy)


def read_loaded(settings: Settings) -> Loaded:
    """Read without opening for writing: looking changes nothing."""
    path = settings.home / WORK_FILE
    with told(path), open_beside(path) as connection:
        [newest] = connection.execute(CHANGED).fetchall()
        [refused] = connection.execute("select count(*), count(distinct file) from raw._quarantine").fetchall()
    return Loaded(*newest, *refused)


def load_findings(settings: Settings, loaded: Loaded) -> Iterator[Finding]:
    if loaded.loaded_at is None:
        yield nothing_loaded()
        return
    try:
        behind = is_behind(loaded, current(settings.home))
    except StorageError:
        return
    yield Finding(
        subject="build",
        state="stale" if behind else "good",
        finding="data was loaded after the last build" if behind else "the last load is built and published",
        remedy="shipcast build" if behind else None,
    )


def is_behind(loaded: Loaded, snapshot: Snapshot) -> bool:
    """Whether data came in after the snapshot: by the numbers of loads, since clocks may be set back."""
    if snapshot.load_id is not None and loaded.load_id is not None:
        return loaded.load_id > snapshot.load_id
    published_at = datetime.fromisoformat(snapshot.published_at).replace(tzinfo=None)
    return loaded.loaded_at is not None and loaded.loaded_at > published_at


def missing_snapshot(settings: Settings) -> Finding:
    loaded = (settings.home / WORK_FILE).exists()
    return Finding(
        subject="snapshot",
        state="missing",
        finding="nothing is published yet",
        remedy="shipcast build" if loaded else "shipcast ingest files DIR, then shipcast build; or see shipcast demo",
    )


def snapshot_findings(settings: Settings, reader: Reader) -> Iterator[Finding]:
    built = reader.facts.built_at
    yield Finding(
        subject="snapshot",
        state="good",
        finding=f"published {built:%Y-%m-%d %H:%M} UTC" if built else "published",
        remedy=None,
    )
    newest = reader.data_as_of
    if newest is None:
        yield Finding(
            subject="freshness", state="missing", finding="it holds no event", remedy="shipcast ingest files DIR"
        )
    else:
        stale = bool(reader.stale())
        yield Finding(
            subject="freshness",
            state="stale" if stale else "good",
            finding=f"the newest record is {age(reader.as_of - newest)} old",
            remedy="load newer exports: shipcast ingest files DIR, then shipcast build" if stale else None,
        )
    yield from environment_findings(reader)
    yield from proxy_findings(reader)
    if differing := reader.differing_settings():
        yield Finding(subject="settings", state="stale", finding=differing[0], remedy="shipcast build")


def environment_findings(reader: Reader) -> Iterator[Finding]:
    names = reader.rows("select environment, is_production from dim_environments order by 1")
    production = [name for name, is_production in names if is_production]
    if names and not production:
        others = ", ".join(name for name, _ in names[:5])
        yield Finding(
            subject="production",
            state="missing",
            finding=f"no environment counts as production (found {others})",
            remedy="name yours in shipcast.toml: production_environments = [...], then shipcast build",
        )


def proxy_findings(reader: Reader) -> Iterator[Finding]:
    """Whether deployments are known only by what stands in for them."""
    [(proxies, deployments)] = reader.rows(PROXIES.format(places="is_production"), service=None)
    if proxies:
        yield Finding(
            subject="proxy",
            state="good",
            finding=f"{proxy_said(proxies, deployments)} (in production)",
            remedy="load recorded ones: shipcast ingest files DIR, or ingest gitops; then ingest git with --service",
        )


@dataclass(frozen=True)
class Known:
    """How much is known of production: the ground that answers stand on.

    `refused`: the deployments that were refused, of any environment; null: none were.
    """

    deployments: int
    failures: int
    settled_failures: int
    incidents: int
    resolved: int
    recovered: int
    changes: int
    series: int
    refused: Refused | None = None


def what_can_be_said(reader: Reader) -> str:
    """Which questions this much data answers: frequency, lead time, failure rate, recovery, forecasts."""
    refused = next((one for one in reader.refused() if one.table == "deployments"), None)
    return in_words(replace(Known(*(reader.rows(query)[0][0] for query in KNOWN)), refused=refused))


def in_words(known: Known) -> str:
    """
    >>> words = in_words(Known(30, 0, 0, 0, 0, 0, changes=12, series=0))
    >>> print(words.replace(": ", ":\\n").replace(", fail", ",\\nfail").replace(", costs", ",\\ncosts"))
    30 production deployments, no incidents:
    frequency yes, lead time yes,
    failure rate at most 11 %, recovery no, chances of failure that rest on assumptions (no settled failure),
    costs in minutes of disruption (no load data).
    """
    incidents = plural(known.incidents, "incident") if known.incidents else "no incidents"
    told = f"{plural(known.deployments, 'production deployment')}, {incidents}"
    if not known.deployments:
        return f"{told}: nothing can be said yet."
    answers = [
        "frequency yes",
        "lead time yes" if known.changes else "lead time no (no changes loaded)",
        failure_rate(known),
        recovery(known),
        forecast(known),
        f"load of {plural(known.series, 'service')}"
        if known.series
        else "costs in minutes of disruption (no load data)",
    ]
    return f"{told}: {', '.join(answers)}."


def failure_rate(known: Known) -> str:
    """The rate with its Wilson interval; where none failed, only its upper end says something.

    Where many deployments were refused, those that were not may have failed less or more: no rate is said.
    """
    if known.refused is not None and known.refused.is_much:
        waiting = f"{known.refused.rows:,} of {known.refused.read:,} deployments that were read wait in quarantine"
        return f"failure rate not to be trusted, since {waiting} (shipcast quarantine list)"
    low, high = wilson(known.failures, known.deployments) or (0.0, 1.0)
    if not known.failures:
        return f"failure rate at most {share(high)}"
    return f"failure rate {share(known.failures / known.deployments)} ({share(low)} to {share(high)})"


def recovery(known: Known) -> str:
    """What deployments recovered from, by the incidents that are laid to them."""
    if known.recovered >= FEWEST_FOR_A_MEDIAN:
        return "recovery yes"
    if known.recovered:
        return "recovery without an interval"
    return "recovery no (no resolved incident is laid to a deployment)" if known.resolved else "recovery no"


def forecast(known: Known) -> str:
    failures = plural(known.settled_failures, "settled failure")
    if known.settled_failures >= ENOUGH_FAILURES:
        return f"forecast of failures from {failures}"
    if known.settled_failures:
        return f"a weak forecast of failures ({failures})"
    return "chances of failure that rest on assumptions (no settled failure)"
