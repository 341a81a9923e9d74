"""The verbs that answer a question from the published snapshot."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from shipcast import completion
from shipcast.answers.answer import rfc3339
from shipcast.answers.words import LEVEL_MARKS, hours, in_hundred, local_time, share
from shipcast.ask import Ask, verb
from shipcast.console import WIDTH, hint, progress, say, show, table, tell
from shipcast.settings.durations import parse_duration
from shipcast.settings.errors import StorageError

if TYPE_CHECKING:
    from datetime import datetime

    from shipcast.answers.backtest import BacktestAnswer, Reliability
    from shipcast.answers.forecast import ForecastAnswer, HourForecast
    from shipcast.answers.gate import GateAnswer
    from shipcast.answers.metrics import MetricItem, MetricsAnswer
    from shipcast.answers.windows import PricedAnswer, Window, WindowsAnswer

LONGEST_SPELLS = 5
LONGEST_EVERY = 366
LONGEST_KEY = 30
GAP = 2
LABELS = {  # of the columns, where all metrics stand beside each other
    "deployments": "deploy-\nments",
    "deployment_frequency": "per\nday",
    "lead_time": "lead\ntime",
    "change_failure_rate": "failure\nrate",
    "failed_deployment_recovery": "recovery",
    "recovery_from_incident": "from\nincident",
    "incidents_unattributed": "no\ncause",
    "rework_rate": "rework",
    "rollback_rate": "rolled\nback",
    "success_rate": "success",
    "environment_idle": "idle",
    "environment_idle_hours": "idle\ntime",
}

DURATION = "How long the deployment takes: 45m, 1h30m."
Service = Annotated[
    str, typer.Argument(metavar="SERVICE", help="The service to ship.", autocompletion=completion.services)
]
Environment = Annotated[str, typer.Option(metavar="E", help="Where to.", autocompletion=completion.environments)]
Lines = Annotated[int | None, typer.Option(min=0, metavar="N", help="Lines changed.")]
Files = Annotated[int | None, typer.Option(min=0, metavar="N", help="Files changed.")]
CalendarFile = Annotated[
    Path | None,
    typer.Option("--calendar", metavar="FILE", help="Default: calendar.toml of the home, else of this folder."),
]
ChangeType = Annotated[str | None, typer.Option("--type", metavar="T", help="standard, normal or emergency.")]


def add_verbs(app: typer.Typer) -> None:
    verb(app, "metrics", "shipcast metrics --by service")(metrics_verb)
    verb(app, "windows", "shipcast windows checkout --duration 45m --lines 300")(windows_verb)
    verb(app, "forecast", "shipcast forecast checkout --hours 48")(forecast_verb)
    verb(app, "backtest", "shipcast backtest --from 2025-01-01 --to 2026-01-01 --model blend")(backtest_verb)


def metrics_verb(
    ask: Ask,
    metric: Annotated[
        str | None, typer.Option(metavar="M", help="One metric instead of all.", autocompletion=completion.metrics)
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help="An environment; production means all of that kind.",
            autocompletion=completion.environments,
        ),
    ] = None,
    service: Annotated[
        str | None, typer.Option(metavar="S", help="One service.", autocompletion=completion.services)
    ] = None,
    team: Annotated[
        str | None, typer.Option(metavar="T", help="The services of one team.", autocompletion=completion.teams)
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="One item per service, environment, team or week.", autocompletion=completion.keys
        ),
    ] = None,
    period_from: Annotated[
        str | None, typer.Option("--from", metavar="D", help="Start of the period, included.")
    ] = None,
    period_to: Annotated[str | None, typer.Option("--to", metavar="D", help="End of the period, excluded.")] = None,
    how: Annotated[
        bool, typer.Option("--how", help="How each number came about: definition, rows in, rows left out.")
    ] = False,
) -> None:
    """The delivery metrics: the five of DORA, rollbacks, rework, idle environments."""
    from shipcast.answers.metrics import metrics
    from shipcast.answers.reading import open_reader

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = metrics(
            reader,
            metric=metric,
            environment=environment,
            service=service,
            team=team,
            by=by,
            period_from=ask.optional_instant(period_from, "--from"),
            period_to=ask.optional_instant(period_to, "--to"),
        )
    given = {"environment": environment, "service": service, "team": team, "from": period_from, "to": period_to}
    narrowing = typed({"metric": metric, **given})
    show(ask, answer, lambda: show_metrics(ask, answer, by, how, narrowing))


def show_metrics(ask: Ask, answer: MetricsAnswer, by: str | None, how: bool, narrowing: str) -> None:
    is_wide = bool(by) and not ask.verbose and len({item.metric for item in answer.items}) > 1
    if by and is_wide:
        say(answer.sentence)
        pivot(answer, by)
    else:
        metrics_table(answer, by)
    if how:
        show_how(answer, by)
    elif is_wide:
        asked = f"shipcast metrics --by {by} --metric lead_time{narrowing}"
        hint(ask, f"{asked}, for one of them with its intervals; or -v for all")
    elif not by:
        asked = f"shipcast metrics --by {'week' if ' --service ' in narrowing else 'service'}{narrowing}"
        hint(ask, f"{asked}, or with --how to see how each number came about")


def metrics_table(answer: MetricsAnswer, by: str | None = None) -> None:
    say(answer.sentence)
    table(
        [*([by] if by else []), "metric", "value", "95 % interval", "n", "left out", "open"],
        [[*([key_of(item, by)] if by else []), *metric_cells(item)] for item in answer.items],
        numbers=("value", "95 % interval", "n", "left out", "open"),
    )
    if {item.metric for item in answer.items} <= {"environment_idle", "environment_idle_hours"}:
        show_idle_spells(answer)


def pivot(answer: MetricsAnswer, by: str) -> None:
    """A row per service, environment, team or week, a column per metric; more than one table where one is too wide."""
    cells = {(key_of(item, by), item.metric): brief(item) for item in answer.items}
    keys = list(dict.fromkeys(key for key, _ in cells))
    widths = {
        metric: max(
            len(text) for text in (*LABELS[metric].split("\n"), *(cells.get((key, metric), "") for key in keys))
        )
        for metric in dict.fromkeys(metric for _, metric in cells)
    }
    for metrics in side_by_side(widths, WIDTH - min(LONGEST_KEY, max(map(len, (by, *keys))))):
        labels = [LABELS[metric] for metric in metrics]
        table([by, *labels], [[key, *(cells.get((key, metric)) for metric in metrics)] for key in keys], numbers=labels)


def side_by_side(widths: Mapping[str, int], room: int) -> list[list[str]]:
    """The columns in order, as many beside each other as there is room for with a gap before each.

    >>> side_by_side({"a": 3, "b": 3, "c": 3}, room=10)
    [['a', 'b'], ['c']]
    """
    found: list[list[str]] = []
    left = 0
    for name, width in widths.items():
        if not found or left < width + GAP:
            found.append([])
            left = room
        found[-1].append(name)
        left -= width + GAP
    return found


def brief(item: MetricItem) -> str:
    """The value alone; a dash where nothing can be said."""
    from shipcast.answers.metrics import said

    return "–" if item.value is None else said(item, item.value)


def show_idle_spells(answer: MetricsAnswer) -> None:
    """The longest stretches of over a day in which nobody used an environment."""
    if not answer.idle_spells:
        return
    longest = answer.idle_spells[:LONGEST_SPELLS]
    typer.echo(f"Idle for longer than a day, the {len(longest)} longest of {len(answer.idle_spells)}:")
    for spell in longest:
        cost = "" if spell.cost is None else f", cost {spell.cost:,.0f}"
        tell(f"  {spell.environment}: {hours(spell.hours)} from {spell.start:%Y-%m-%d %H:%M} UTC{cost}")
    typer.echo()


def key_of(item: MetricItem, by: str) -> str:
    return str(getattr(item, by) or "(none)")


def metric_cells(item: MetricItem) -> list[object]:
    from shipcast.answers.metrics import mark, said

    interval = "" if item.low is None or item.high is None else f"{said(item, item.low)} to {said(item, item.high)}"
    return [
        item.metric + mark(item),
        said(item, item.value),
        interval,
        f"{item.n:,}",
        blank_zero(item.excluded),
        blank_zero(item.censored),
    ]


def blank_zero(value: int | None) -> str:
    return f"{value:,}" if value else ""


def show_how(answer: MetricsAnswer, by: str | None) -> None:
    """Each metric's definition, and below it what went into each of its numbers."""
    for metric in dict.fromkeys(item.metric for item in answer.items):
        items = [item for item in answer.items if item.metric == metric]
        say(f"{metric}: {items[0].how.definition}")
        for item in items:
            say(f"    {f'{key_of(item, by)}: ' if by else ''}{rows_behind(item)}")


def rows_behind(item: MetricItem) -> str:
    """The rows in, left out and open, under the table's own words."""
    parts = [f"n: {item.n:,}"]
    if item.metric.endswith("_rate") and item.numerator is not None:
        parts[0] = f"n: {item.numerator:,.0f} of {item.n:,}"
    for word, reasons in (("left out", item.how.left_out), ("open", item.how.still_open)):
        parts += [f"{word}: {part.rows:,} {part.reason}" for part in reasons]
    return "; ".join(parts)


def windows_verb(
    ask: Ask,
    service: Service,
    duration: Annotated[str, typer.Option(metavar="TIME", help=DURATION)],
    environment: Environment = "production",
    lines: Lines = None,
    files: Files = None,
    change_type: ChangeType = None,
    earliest: Annotated[str | None, typer.Option(metavar="TIME", help="Not before; default: now.")] = None,
    latest: Annotated[str | None, typer.Option(metavar="TIME", help="Ended by then; default: in 7 days.")] = None,
    top: Annotated[int, typer.Option(min=1, max=50, metavar="K", help="How many windows.")] = 3,
    calendar: CalendarFile = None,
    ics: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the best window, or that of --pick, as an .ics file.")
    ] = None,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Also what a day later, half the size, or two halves would cost.")
    ] = False,
    pick: Annotated[int, typer.Option(min=1, metavar="N", help="Which of the windows --ics writes.")] = 1,
) -> None:
    """The lowest-risk windows for a change, each with its chance of failure, cost and reasons."""
    from shipcast.answers.advice import keep
    from shipcast.answers.reading import open_reader
    from shipcast.answers.windows import windows

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = windows(
            reader,
            service,
            duration=parse_duration(duration),
            environment=environment,
            lines=lines,
            files=files,
            change_type=change_type,
            earliest=ask.optional_start(earliest, "--earliest"),
            latest=ask.optional_start(latest, "--latest"),
            top=top,
            what_if=what_if,
            calendar_file=calendar,
        )
    answer = keep(ask.settings.home, answer)
    written = None if ics is None else written_window(answer, pick, ics)
    change = {"type": change_type, "calendar": calendar}
    show(ask, answer, lambda: show_windows(ask, answer, written, change))


def written_window(answer: WindowsAnswer, pick: int, target: Path) -> str:
    """Write one of the windows as an iCalendar file; what was done, in a sentence.

    Raises
    ------
    UsageError
        There is no window of that number.
    """
    from shipcast.answers.window_file import write_window

    window = write_window(answer, pick, target)
    return f"Wrote the window of {local_time(window.start, answer.business_zone, answer.as_of)} to {target}."


def show_windows(ask: Ask, answer: WindowsAnswer, written: str | None, change: Mapping[str, object]) -> None:
    windows_table(answer, ask.settings.tz)
    show_alternatives(answer)
    if answer.items and answer.items[0].failure_probability is not None:
        start = rfc3339(answer.items[0].start)
        hint(ask, f"shipcast reserve {argument(answer.service)} --start {start}{flags(answer, change)}")
    if written is not None:
        say(written)


def flags(answer: PricedAnswer | GateAnswer, change: Mapping[str, object]) -> str:
    """What was asked about, as it would be typed."""
    given = {"duration": f"{answer.duration_minutes:g}m", **change}
    if answer.environment != "production":
        given["environment"] = answer.environment
    return "".join(f" --{flag}={shlex.quote(str(value))}" for flag, value in given.items() if value is not None)


def show_alternatives(answer: WindowsAnswer) -> None:
    """What else could be done, against the best window."""
    zone = answer.business_zone
    table(
        ["instead", f"start ({zone})", "lines", "chance of failure", "of the best window's cost"],
        [
            [
                one.what,
                " and ".join(local_time(start, zone, answer.as_of) for start in one.starts),
                one.lines,
                in_hundred(one.failure_probability).removeprefix("about "),
                f"{one.relative_to_best:.2f} ({one.relative_low:.2f} to {one.relative_high:.2f})",
            ]
            for one in answer.alternatives
        ],
        numbers=("lines",),
    )


def windows_table(answer: WindowsAnswer, tz: str) -> None:
    """The sentence, the windows on the service's clock and the reader's, and what speaks for each."""
    from shipcast.answers.company import approvals_said
    from shipcast.answers.window_words import UNITS, reasons_in_words
    from shipcast.answers.windows import model_said, sentence

    say(sentence(answer))
    if not answer.items or answer.items[0].failure_probability is None:
        return
    zones = list(dict.fromkeys([answer.business_zone, tz]))
    table(
        [*(f"start ({zone})" for zone in zones), "level", "chance of failure", UNITS[answer.unit], "of usual"],
        [
            [*(local_time(window.start, zone, answer.as_of) for zone in zones), *window_cells(window)]
            for window in answer.items
        ],
        numbers=("of usual",),
    )
    for window in answer.items:
        needed = approvals_said(window.approvals, answer.business_zone, answer.as_of)
        if window.reasons:
            when = local_time(window.start, answer.business_zone, answer.as_of)
            say(f"{when}: {reasons_in_words(window)}{needed and '.'}{needed}")
    say(model_said(answer))


def window_cells(window: Window) -> list[object]:
    from shipcast.answers.window_words import chance_said, cost_said, of_usual

    if window.failure_probability is None:
        return [None, None, None, None]
    return [
        f"{LEVEL_MARKS[window.level or '']} {window.level}",
        chance_said(window),
        cost_said(window),
        of_usual(window),
    ]


def forecast_verb(
    ask: Ask,
    service: Annotated[
        str | None,
        typer.Argument(metavar="SERVICE", help="One service; default: all.", autocompletion=completion.services),
    ] = None,
    hours_ahead: Annotated[int, typer.Option("--hours", min=1, metavar="N", help="How many hours ahead.")] = 168,
    environment: Annotated[
        str, typer.Option(metavar="E", help="Where.", autocompletion=completion.environments)
    ] = "production",
) -> None:
    """The load of the coming hours, with intervals; it is stored in the home too, as forecasts/load.parquet."""
    from shipcast.answers.forecast import forecast
    from shipcast.answers.reading import open_reader
    from shipcast.forecasts import store

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = forecast(reader, service, hours=hours_ahead, environment=environment)
    try:
        store(ask.settings.home, answer)
    except StorageError as error:  # a question can be asked of a home that only others may write
        answer = answer.model_copy(update={"warnings": (*answer.warnings, f"Not stored: {error.detail}")})
    show(ask, answer, lambda: show_forecast(ask, answer, typed({"environment": environment})))


def show_forecast(ask: Ask, answer: ForecastAnswer, narrowing: str) -> None:
    """One row per day of one service, or per service; every hour where asked to be verbose."""
    say(answer.sentence)
    zones = {series.service: series.business_zone for series in answer.series}
    ends = ["quietest hour", "requests", "busiest hour", "requests "]
    if ask.verbose:
        columns = ["service", "hour", "5 of 100", "25 of 100", "50 of 100", "75 of 100", "95 of 100"]
        rows = [hour_cells(item, zones[item.service], answer.as_of) for item in answer.items]
        table(columns, rows, numbers=columns[2:])
    elif len(zones) == 1:
        [(service, zone)] = zones.items()
        table(
            ["day", *ends], [[day, *extremes(items, zone, "%H:%M")] for day, items in by_day(answer, zone)], ends[1::2]
        )
        hint(ask, f"shipcast windows {argument(service)} --duration 30m{narrowing}, or -v for every hour")
    elif zones:
        of = {name: [item for item in answer.items if item.service == name] for name in zones}
        rows = [[name, *extremes(of[name], zone, "%a %-d %H:%M"), zone] for name, zone in zones.items()]
        table(["service", *ends, "on the clock of"], rows, ends[1::2])
        hint(ask, f"shipcast forecast {argument(next(iter(zones)))}{narrowing}")


def typed(given: Mapping[str, object]) -> str:
    """Flags that a question was narrowed by, as they would be typed behind it; those that were not given are left out.

    Production is what questions are about where no environment is named.

    >>> typed({"environment": "pre prod", "service": None, "from": "2025-01-01"}), typed({"environment": "production"})
    (" --environment 'pre prod' --from 2025-01-01", '')
    """
    said = {flag: value for flag, value in given.items() if value is not None}
    if said.get("environment") == "production":
        del said["environment"]
    return "".join(f" --{flag} {shlex.quote(str(value))}" for flag, value in said.items())


def argument(name: str) -> str:
    """A name as it must be typed.

    >>> argument("checkout"), argument("a b"), argument("--json")
    ('checkout', "'a b'", '-- --json')
    """
    return ("-- " if name.startswith("-") else "") + shlex.quote(name)


def by_day(answer: ForecastAnswer, zone: str) -> list[tuple[str, list[HourForecast]]]:
    """The items of one service by the day in its zone."""
    days: dict[str, list[HourForecast]] = {}
    for item in answer.items:
        days.setdefault(local_time(item.starts_at, zone, answer.as_of)[:-6], []).append(item)
    return list(days.items())


def extremes(items: list[HourForecast], zone: str, clock: str) -> list[str]:
    """The quietest and the busiest hour, each with its requests."""
    from shipcast.answers.forecast import in_requests

    chosen = min(items, key=lambda item: item.p50), max(items, key=lambda item: item.p50)
    cells = [(f"{item.starts_at.astimezone(ZoneInfo(zone)):{clock}}", in_requests(item)) for item in chosen]
    return [cell.replace(" requests", "") for pair in cells for cell in pair]


def hour_cells(item: HourForecast, zone: str, as_of: datetime) -> list[str]:
    values = (item.p05, item.p25, item.p50, item.p75, item.p95)
    return [item.service, local_time(item.starts_at, zone, as_of), *(f"{value:,.0f}" for value in values)]


def backtest_verb(
    ask: Ask,
    period_from: Annotated[
        str | None, typer.Option("--from", metavar="D", help="Start of the period, included; default: a year back.")
    ] = None,
    period_to: Annotated[str | None, typer.Option("--to", metavar="D", help="End of the period, excluded.")] = None,
    every: Annotated[
        str, typer.Option(metavar="TIME", help="How long a model serves until the next is trained.")
    ] = "28d",
    environment: Annotated[
        str,
        typer.Option(
            metavar="E",
            help="An environment; production means all of that kind.",
            autocompletion=completion.environments,
        ),
    ] = "production",
    model: Annotated[
        str,
        typer.Option(metavar="M", help="regression, boosting, blend or rate.", autocompletion=completion.models),
    ] = "regression",
) -> None:
    """The forecast that each deployment would have got before it started, and how good those were."""
    from shipcast.answers.backtest import backtest
    from shipcast.answers.reading import open_reader

    with open_reader(ask.settings, ask.as_of) as reader:
        answer = backtest(
            reader,
            environment=environment,
            period_from=ask.optional_instant(period_from, "--from"),
            period_to=ask.optional_instant(period_to, "--to"),
            every=parse_duration(every, "--every", LONGEST_EVERY),
            model=model,
            progress=progress(ask),
        )
    narrowing = typed({"environment": environment, "from": period_from, "to": period_to})
    show(ask, answer, lambda: show_backtest(ask, answer, narrowing))


def show_backtest(ask: Ask, answer: BacktestAnswer, narrowing: str) -> None:
    """What was said of each tenth of the deployments, and what became of it."""
    say(answer.sentence)
    columns = ["forecast", "on average", "deployments", "failed", "that is", "95 % interval"]
    table(columns, [reliability_cells(group) for group in answer.summary.reliability], numbers=columns)
    if answer.items:
        other = "regression" if answer.model == "blend" else "blend"
        asked = f"shipcast backtest --model {other}{narrowing}"
        hint(ask, f"{asked}, to compare; or --json for every deployment's forecast")
    else:
        hint(ask, f"shipcast metrics{narrowing}")


def reliability_cells(group: Reliability) -> list[object]:
    forecast = f"{share(group.forecast_low)} to {share(group.forecast_high)}"
    interval = f"{share(group.observed_low)} to {share(group.observed_high)}"
    counts = [f"{group.n:,}", f"{group.failures:,}"]
    return [forecast, share(group.forecast), *counts, share(group.observed), interval]
