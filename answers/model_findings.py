"""What the doctor finds of the model that serves, and of the files whose code runs when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from shipcast.answers import drift, failure_quality, hour_quality
from shipcast.answers.drift import changed, is_old, learned_then
from shipcast.answers.findings import Finding, State
from shipcast.answers.reading import Reader
from shipcast.answers.words import age, plural
from shipcast.features.errors import FeatureFailed
from shipcast.features.feature import chosen
from shipcast.features.matrix import learnable
from shipcast.features.own import enter_files
from shipcast.models.errors import ModelMissing
from shipcast.models.registry import Champion, artefact
from shipcast.models.serving import Served, served
from shipcast.settings import Settings, settings_file
from shipcast.settings.errors import ModelError

TRAIN = "shipcast train --promote"
RETRAIN = f"{TRAIN}, or shipcast run"
GROUP, OTHERS, STICKY = 0o020, 0o002, 0o1000
JUDGED_BY: Mapping[str, Callable[[Path], object]] = {  # files, and what reads each or says why it cannot
    failure_quality.FILE: failure_quality.stored,
    hour_quality.FILE: hour_quality.stored,
    drift.FILE: drift.references_of,
}


def code_findings(settings: Settings) -> Iterator[Finding]:
    """Files of features that are not there, or that others can change; so with the file that names them."""
    for path in settings.features:
        if not path.is_file():
            yield Finding(
                subject="features",
                state="missing",
                finding=f"{path} does not exist",
                remedy="correct the setting features in shipcast.toml",
            )
    named = settings_file(settings.home)
    for path in (*(() if named is None else (named,)), *settings.features):
        if (whose := changeable(path)) is not None:
            yield Finding(
                subject="features",
                state="unsafe",
                finding=f"{whose} can be written by others: it says what code runs in your name",
                remedy=f"chmod go-w {whose}",
            )


def changeable(path: Path) -> Path | None:
    """The file, or its folder, if others may write it; null: they may not, or it is not there.

    A group that is named like the owner holds nobody else, and in a sticky folder nobody can replace others' files.
    """
    return next((one for one in (path, path.parent) if one.exists() and is_open(one)), None)


def is_open(path: Path) -> bool:
    mode = path.stat().st_mode
    if path.is_dir() and mode & STICKY:
        return False
    return bool(mode & OTHERS) or (bool(mode & GROUP) and not is_own_group(path))


def is_own_group(path: Path) -> bool:
    try:
        return path.group() == path.owner()
    except KeyError:  # a number without a name
        return False


def model_findings(reader: Reader) -> Iterator[Finding]:
    """Whether the champion as of the question can answer, is up to date, and has kept what it is judged by."""
    settings = reader.settings
    try:
        serving = served(settings.home, reader.at)
        if serving is None:
            yield from missing_model(reader)
            return
        yield from feature_findings(settings, serving)
        yield age_finding(reader, serving.entry)
        yield from changed_findings(reader, serving.entry)
        yield from kept_findings(settings, serving.entry)
    except ModelError as error:
        yield Finding(subject="model", state="broken", finding=error.detail, remedy=error.next_step)


def missing_model(reader: Reader) -> Iterator[Finding]:
    """Said only where there is something to learn from: a failure that has settled."""
    settled, failures = learnable(reader.history("production"))
    if failures:
        yield Finding(
            subject="model",
            state="missing",
            finding=f"none learned from what was known by then, of which {plural(settled, 'deployment')} had settled",
            remedy="shipcast train",
        )


def feature_findings(settings: Settings, serving: Served) -> Iterator[Finding]:
    """Whether the files of features run, and define all that the champion looks at; not run where others write them."""
    if any(changeable(path) for path in settings.features) or not all(path.is_file() for path in settings.features):
        return
    try:
        enter_files(settings.features)
        chosen(*serving.model.feature_names())
    except (FeatureFailed, ModelError) as error:
        yield Finding(subject="features", state="broken", finding=error.detail, remedy=error.next_step)


def age_finding(reader: Reader, entry: Champion) -> Finding:
    old = reader.at - entry.cut_off
    is_stale = is_old(old, reader.settings.retrain_days)
    since = f"learned from all up to {entry.cut_off:%Y-%m-%d %H:%M} UTC, {age(old)} before"
    return Finding(
        subject="model",
        state="stale" if is_stale else "good",
        finding=f"version {entry.version} ({entry.recipe}) serves; it {since}",
        remedy=RETRAIN if is_stale else None,
    )


def changed_findings(reader: Reader, entry: Champion) -> Iterator[Finding]:
    """That much has come or changed of the time that it learned from."""
    learned = learned_then(reader.history("production"), reader.settings.home, entry)
    if learned is not None and learned.is_changed:
        yield Finding(subject="model", state="stale", finding=changed(learned), remedy=RETRAIN)


def kept_findings(settings: Settings, entry: Champion) -> Iterator[Finding]:
    """Whether all is there, as it was recorded, that was kept with the champion: above all what it is judged by."""
    for name in sorted({*JUDGED_BY, *entry.kept}):
        try:
            path = artefact(settings.home, entry, name)
            found = JUDGED_BY[name](path) if name in JUDGED_BY else None
        except ModelError as error:
            state: State = "missing" if isinstance(error, ModelMissing) else "broken"
            yield kept_finding(state, error.detail)
        else:
            if isinstance(found, str):
                yield kept_finding("missing", found)


def kept_finding(state: State, said: str) -> Finding:
    return Finding(subject="quality", state=state, finding=said.rstrip("."), remedy=TRAIN)
