"""The verbs that bring data in and publish it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from shipcast.ask import Ask, group, verb
from shipcast.console import hint, one_line, progress, say, show, table, tell, with_flags
from shipcast.settings.durations import parse_duration
from shipcast.settings.errors import ShipcastError, UsageError

if TYPE_CHECKING:
    from shipcast.answers.operations import BuildAnswer, IngestAnswer, QuarantineAnswer, RefusedRows, RunAnswer
    from shipcast.answers.sources import SourcesAnswer
    from shipcast.ingest.files import LoadReport


GITOPS_EXAMPLE = "shipcast ingest gitops ../charts --path 'apps/{environment}/{service}.yaml' --key image.tag"


def add_verbs(app: typer.Typer) -> None:
    ingest = group(app, "ingest", "Load history from a source.")
    verb(ingest, "files", "shipcast ingest files exports/")(ingest_files_verb)
    verb(ingest, "gitops", GITOPS_EXAMPLE)(ingest_gitops_verb)
    verb(ingest, "git", "shipcast ingest git ../checkout --service checkout")(ingest_git_verb)
    verb(ingest, "export", "shipcast ingest export incidents.csv --mapping servicenow.toml")(ingest_export_verb)
    verb(app, "build", "shipcast build")(build_verb)
    verb(app, "run", "shipcast run --every 15m")(run_verb)
    verb(app, "sources", "shipcast sources")(sources_verb)
    quarantine = group(app, "quarantine", "Refused rows: see them, export them, load them again.")
    verb(quarantine, "list", "shipcast quarantine list --table incidents")(quarantine_list_verb)
    verb(quarantine, "export", "shipcast quarantine export refused/")(quarantine_export_verb)
    verb(quarantine, "retry", "shipcast quarantine retry")(quarantine_retry_verb)


def ingest_files_verb(
    ask: Ask,
    paths: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of contract tables, or single files.")],
    strict: Annotated[bool, typer.Option("--strict", help="Load nothing if any row breaks a rule.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, store nothing.")] = False,
) -> None:
    """Load contract tables (deployments, incidents, changes, load, ...) from CSV, Parquet or JSON lines."""
    from shipcast.answers.operations import ingest_answer
    from shipcast.pipeline import load

    report = load(ask.settings, paths, strict=strict, dry_run=dry_run, progress=progress(ask))
    answer = ingest_answer(report, ask.as_of, dry_run=dry_run)
    show(ask, answer, lambda: show_load(ask, answer, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def ingest_gitops_verb(
    ask: Ask,
    repository: Annotated[Path, typer.Argument(metavar="REPO", help="A clone of the repository, or a bare one.")],
    path: Annotated[
        str, typer.Option(metavar="TEMPLATE", help="Paths of the files, with {environment} and {service} in them.")
    ],
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Where the version stands in a file, such as image.tag.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(metavar="REGEX", help="The same as a regular expression with a group.")
    ] = None,
    holds: Annotated[
        str | None,
        typer.Option(metavar="KEY[=VALUE]", help="A key that holds deployments while it is false (or VALUE)."),
    ] = None,
    branch: Annotated[
        str | None, typer.Option(metavar="NAME", help="The branch that is deployed; default: HEAD's.")
    ] = None,
    environment: Annotated[
        str | None, typer.Option(metavar="E", help="The environment, where the template names none.")
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="S", help="The service, where the template names none.")
    ] = None,
    returns: Annotated[
        bool,
        typer.Option("--returns", help="Where versions have no order: going back to the one before is a rollback."),
    ] = False,
    names: Annotated[bool, typer.Option("--names", help="Keep people's names instead of pseudonyms.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Load nothing if any row breaks a rule.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, store nothing.")] = False,
) -> None:
    """Load deployments from a GitOps repository: each commit that changes a version in one of its files."""
    from shipcast.answers.operations import ingest_answer
    from shipcast.pipeline import load_gitops
    from shipcast.settings import GitopsSource

    source = GitopsSource(
        path=repository, template=path, key=key, pattern=pattern, holds=holds, branch=branch,
        environment=environment, service=service, returns=returns, names=names,
    )  # fmt: skip
    report = load_gitops(ask.settings, source, strict=strict, dry_run=dry_run, progress=progress(ask))
    answer = ingest_answer(report, ask.as_of, dry_run=dry_run)
    show(ask, answer, lambda: show_load(ask, answer, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def ingest_git_verb(
    ask: Ask,
    repository: Annotated[Path, typer.Argument(metavar="REPO", help="A clone of the repository, or a bare one.")],
    service: Annotated[
        str | None,
        typer.Option(metavar="S", help="Whose code it is; its deployments come from elsewhere. Default: the folder."),
    ] = None,
    releases: Annotated[
        Literal["tags", "merges"],
        typer.Option(help="What a release is: a tag, or each commit of the main line (merged or pushed)."),
    ] = "tags",
    tags: Annotated[
        str, typer.Option(metavar="TEMPLATE", help="Which tags are releases, such as 'pay-v{version}'.")
    ] = "{version}",
    paths: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only changes of such files, as 'services/pay/**'; may be repeated."),
    ] = None,
    branch: Annotated[
        str | None, typer.Option(metavar="NAME", help="The branch that is released; default: HEAD's.")
    ] = None,
    proxy: Annotated[
        bool | None,
        typer.Option("--proxy/--no-proxy", help="Let releases stand in for deployments; default: without --service."),
    ] = None,
    environment: Annotated[str, typer.Option(metavar="E", help="The environment of those deployments.")] = "production",
    names: Annotated[bool, typer.Option("--names", help="Keep people's names instead of pseudonyms.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Load nothing if any row breaks a rule.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, store nothing.")] = False,
) -> None:
    """Load the changes and releases of a service from the history of its code."""
    from shipcast.answers.operations import ingest_answer
    from shipcast.pipeline import load_git
    from shipcast.settings import GitSource

    source = GitSource.model_validate(
        {"path": repository, "service": service, "releases": releases, "tags": tags, "paths": paths or (),
         "branch": branch, "proxy": proxy, "environment": environment, "names": names}
    )  # fmt: skip
    report = load_git(ask.settings, source, strict=strict, dry_run=dry_run, progress=progress(ask))
    answer = ingest_answer(report, ask.as_of, dry_run=dry_run)
    show(ask, answer, lambda: show_load(ask, answer, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def ingest_export_verb(
    ask: Ask,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or JSON file, or a folder of such files.")],
    mapping: Annotated[
        Path, typer.Option(metavar="M", help="The TOML file that says which table it feeds, and from which columns.")
    ],
    names: Annotated[bool, typer.Option("--names", help="Keep people's names instead of pseudonyms.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Load nothing if any row breaks a rule.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, store nothing.")] = False,
) -> None:
    """Load what ServiceNow, Jira or another program exported, read by a mapping."""
    from shipcast.answers.operations import ingest_answer
    from shipcast.pipeline import load_export
    from shipcast.settings import ExportSource

    source = ExportSource(path=path, mapping=mapping, names=names)
    report = load_export(ask.settings, source, strict=strict, dry_run=dry_run, progress=progress(ask))
    answer = ingest_answer(report, ask.as_of, dry_run=dry_run)
    show(ask, answer, lambda: show_load(ask, answer, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def show_load(ask: Ask, answer: IngestAnswer, report: LoadReport) -> None:
    from shipcast.ingest.origins import EXPORT

    say(answer.sentence)
    show_files(answer)
    if answer.dry_run:
        from shipcast.verbs.connect import show_samples

        show_samples(answer.samples)
        show_refused(answer.refused, of_one_load=True)
        return
    if report.exit_code:
        named = "mapping" if any(item.path.startswith(EXPORT) for item in report.items) else "files named above"
        see = "shipcast quarantine list, or " if any(item.quarantined for item in answer.items) else ""
        hint(ask, f"{see}correct the {named} and load again")
    else:
        hint(ask, "shipcast build")


def show_refused(refused: Sequence[RefusedRows], *, of_one_load: bool) -> None:
    """How many rows each reason refused: of all that wait; or of one load, which fills one table, with the first."""
    names = ["rule", "column", "rows", "first"] if of_one_load else ["table", "rule", "column", "rows"]
    rows = [[getattr(each, name) for name in names] for each in refused]
    table(names, rows, numbers=("rows",))


def show_files(answer: IngestAnswer | RunAnswer) -> None:
    from shipcast.answers.operations import COUNTS

    table(
        ["file", *COUNTS],
        [[item.file, *(f"{getattr(item, name):,}" for name in COUNTS)] for item in answer.items],
        numbers=COUNTS,
    )


def build_verb(
    ask: Ask,
    full: Annotated[bool, typer.Option("--full", help="Build everything, whatever was built before.")] = False,
) -> None:
    """Transform what was loaded since the last build, test it, publish it."""
    from shipcast.answers.operations import build_answer
    from shipcast.pipeline import build_and_publish

    report, snapshot = build_and_publish(ask.settings, progress(ask), in_full=full)
    answer = build_answer(report, snapshot, ask.as_of)
    show(ask, answer, lambda: show_build(ask, answer))


def show_build(ask: Ask, answer: BuildAnswer) -> None:
    say(answer.sentence)
    table(["mart", "rows"], [[item.mart, f"{item.rows:,}"] for item in answer.items], numbers=("rows",))
    is_loaded = any(item.mart == "loads" and item.rows for item in answer.items)
    hint(ask, "shipcast metrics" if is_loaded else "shipcast ingest files DIR, since nothing was loaded yet")


def run_verb(
    ask: Ask,
    every: Annotated[
        str | None, typer.Option(metavar="DURATION", help="Run again and again, at this pace, until it is ended.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Run once, which it does without --every anyway.")] = False,
) -> None:
    """All configured sources, then build and publish; and train the chance of failure, when that is due.

    With -q nothing is printed but what failed.
    """
    from shipcast.service import check_pace, repeat

    if every is None:
        if code := run_once(ask):
            raise typer.Exit(code)
        return
    if once:
        raise UsageError("--once and --every exclude each other.")
    if ask.as_of_text is not None:
        raise UsageError("--every runs as of now, each time. Leave --as-of out.")
    as_typed = ["run", *(["--json"] if ask.json else []), *(["--home", ask.home] if ask.home else [])]
    repeat(
        check_pace(parse_duration(every, "--every", such="15m or 1h")),
        lambda: run_again(ask),
        lambda error: failed(error, as_typed),
    )


def failed(error: Exception, arguments: list[str]) -> None:
    """Say why one of many runs came to nothing, as the last words of a single one would."""
    from shipcast.__main__ import explained

    explained(error, arguments)


def run_once(ask: Ask) -> int:
    """One run, said to the user; its exit code."""
    from shipcast.answers.operations import run_answer
    from shipcast.pipeline import run_all, train_when_due

    report = run_all(ask.settings, progress(ask))
    training, untrained = None, None
    try:
        training = train_when_due(ask.settings, ask.as_of, progress(ask))
    except ShipcastError as error:  # what was read is published, and is to be told
        untrained = error
    answer = run_answer(report.loads, report.build, report.snapshot, ask.as_of, report.dropped, training, untrained)
    of_run = len(answer.warnings)
    answer = told_people(ask, answer)
    if ask.quiet and not ask.json:
        failures = (*report.failures(), *([str(untrained)] if untrained else []), *answer.warnings[of_run:])
        for failure in failures:
            tell(f"error: {one_line(failure)}", err=True)
    else:
        show(ask, answer, lambda: show_run(ask, answer))
    return max(report.exit_code, untrained.exit_code if untrained else 0)


def told_people(ask: Ask, answer: RunAnswer) -> RunAnswer:
    """The answer with what people were told, if there are channels; as of now, when all that was read is known."""
    if not ask.settings.notify or ask.as_of_text is not None:
        return answer
    from shipcast.answers.notify import notified

    progress(ask)("telling people")
    said, warnings = notified(ask.settings, datetime.now(UTC).replace(microsecond=0))
    return answer.model_copy(update={"notified": said, "warnings": (*answer.warnings, *warnings)})


def run_again(ask: Ask) -> None:
    """One of many runs, by the settings as they are now; as JSON, one object a run."""
    now = replace(ask, asked_at=datetime.now(UTC).replace(microsecond=0))
    if not ask.json and not ask.quiet:
        say(f"{now.asked_at:%Y-%m-%d %H:%M:%S} UTC")
    run_once(now)
    sys.stdout.flush()


def sources_verb(ask: Ask) -> None:
    """The configured sources: when each was last read, and which fail or are stale."""
    from shipcast.answers.sources import sources_answer

    answer = sources_answer(ask.settings, ask.as_of)
    show(ask, answer, lambda: show_sources(ask, answer))


def show_sources(ask: Ask, answer: SourcesAnswer) -> None:
    say(answer.sentence)
    rows = [
        [item.source, item.state, "" if item.good_at is None else f"{item.good_at:%Y-%m-%d %H:%M} UTC", item.rows]
        for item in answer.items
    ]
    table(["source", "state", "last read well", "rows it brought"], rows, numbers=("rows it brought",))
    for item in answer.items:
        if item.failure:
            say(item.failure)
        if not item.asked and item.kind != "events":
            say(f"{item.source} is told of by webhooks alone, which the rows are of.")
    if not answer.items:
        hint(ask, "shipcast connect github OWNER/NAME, or shipcast init and a [[sources]] entry")
    elif any(item.state == "unread" for item in answer.items):
        hint(ask, "shipcast run")


def show_run(ask: Ask, answer: RunAnswer) -> None:
    say(answer.sentence)
    if answer.training is not None:
        say(answer.training)
    if answer.notified is not None:
        say(answer.notified)
    show_files(answer)
    hint(ask, "shipcast metrics")


def quarantine_list_verb(
    ask: Ask,
    table_name: Annotated[str | None, typer.Option("--table", metavar="T", help="One table only.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many rows.")] = 20,
) -> None:
    """How many rows are refused by table, rule and column, and the first of them, each with its file and line."""
    from shipcast.answers.operations import quarantine_answer

    answer = quarantine_answer(ask.settings, ask.as_of, table=table_name, limit=limit)
    show(ask, answer, lambda: show_quarantine(ask, answer))


def show_quarantine(ask: Ask, answer: QuarantineAnswer) -> None:
    from shipcast.ingest.origins import is_file, ways_out

    say(answer.sentence)
    if not answer.items:
        return
    show_refused(answer.refused, of_one_load=False)
    for item in answer.items:
        tell(f"  {item.reason}" if not ask.verbose else f"  {item.reason}\n      {item.row}")
    files = dict.fromkeys(item.file for item in answer.items)
    for way in () if ask.quiet or all(map(is_file, files)) else ways_out(files):
        say(with_flags(ask, way))
    named = next(iter(files)) if len(files) == 1 else "their files"
    by_hand = "shipcast quarantine export DIR, correct what it wrote, then: shipcast quarantine retry DIR"
    in_files = f"correct the rows in {named}, then: shipcast quarantine retry; or {by_hand}"
    hint(ask, in_files if all(map(is_file, files)) else by_hand)


def quarantine_export_verb(
    ask: Ask, directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write one file per table.")]
) -> None:
    """Write the refused rows to CSV files, to be corrected and loaded with `quarantine retry DIR`."""
    from shipcast.answers.operations import quarantine_export_answer

    answer = quarantine_export_answer(ask.settings, ask.as_of, directory)
    show(ask, answer, lambda: say(answer.sentence))


def quarantine_retry_verb(
    ask: Ask,
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Exported and corrected files; default: the files they came from."),
    ] = None,
) -> None:
    """Load the refused rows again; those that pass leave the quarantine."""
    from shipcast.answers.operations import ingest_answer
    from shipcast.pipeline import retry

    report = retry(ask.settings, directory, progress(ask))
    answer = ingest_answer(report, ask.as_of, dry_run=False)
    show(ask, answer, lambda: show_load(ask, answer, report))
    if report.exit_code:
        raise typer.Exit(report.exit_code)
