"""What a feature is: a small named function of what was known, which training, explanations and docs find by itself.

A function below `features/families/` that wears `@feature` is all there is to add. One's own may stand in a notebook or
in a file that the setting `features` names.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from shipcast.features.errors import FeatureFailed, FeatureMissing
from shipcast.features.past import Past
from shipcast.settings.errors import in_a_line

Compute = Callable[[pl.DataFrame, Past], pl.Series]
LOWER = {"staging": "staging", "test": "the other lower environments"}
FAMILIES = "shipcast.features.families"
OF_ROWS = (
    "deployment_id", "service", "team", "zone", "hour_of_week", "started_at", "settled_at", "failed_at", "is_failed",
    "is_rollback", "change_type", "version",
)  # fmt: skip
CHANGE = "change"  # the family of what is said of a change
NOTEBOOK = "notebook"  # the family of features that stand in no file
CATALOGUE: dict[str, Feature] = {}


@dataclass(frozen=True)
class Feature:
    """One number about a deployment, from what was known when it started.

    Parameters
    ----------
    family
        What it is about: the name of the module that defines it.
    says
        The number in words, for docs and explanations.
    unit
        Of its values; "yes/no" is 1 or 0.
    known
        When what it counts was known.
    is_assumed
        Nothing a request could know, since it rests on what will yet happen until it ships: a question takes it as
        usual for the service.
    in_spells
        One month differs from the next by nature, as holidays and failures do: that it has moved says nothing of
        whether a model must be trained anew.
    is_skewed
        Counts and spans differ by factors, so models see their logarithm.
    compute
        From rows (one per deployment, or per possible start of one) and the past to one value a row; null: unknown.
    """

    name: str
    family: str
    says: str
    unit: str
    known: str
    is_assumed: bool
    in_spells: bool
    compute: Compute

    @property
    def is_skewed(self) -> bool:
        return self.unit not in ("yes/no", "share", "log ratio")


def feature(
    unit: str, known: str, *, is_assumed: bool = False, in_spells: bool = False, of_lower: bool = False
) -> Callable[[Callable[..., pl.Series]], Callable[..., pl.Series]]:
    """Enter a function as a feature; its first line of documentation is what it says.

    It takes the rows and the past (`Past`) and gives one value a row. Of the past it may look only at what was known
    before each row's start, as the functions in `features/past.py` do; nothing checks that.

    Parameters
    ----------
    unit
        Of its values: hours, failures, "yes/no", "share" and so on. All but the last two are taken in logarithms.
    known
        When what it counts was known, in words.
    is_assumed
        No request can know it, so that a question takes it as usual for the service.
    in_spells
        It differs from month to month by nature, so that a change of it is no drift.
    of_lower
        It takes the place as a third argument, and is one feature for each kind of lower environment.

    Raises
    ------
    ValueError
        Another family has a feature of that name, or the rows have such a column.
    """

    def enter(compute: Callable[..., pl.Series]) -> Callable[..., pl.Series]:
        family = family_of(compute.__module__)
        says = (compute.__doc__ or compute.__name__).strip().splitlines()[0].rstrip(".")
        for prefix, place, given in places(of_lower):
            name = f"{prefix}{compute.__name__}"
            if name in OF_ROWS:
                raise ValueError(f"the rows have a column {name!r} already; name the feature otherwise")
            if name in CATALOGUE and CATALOGUE[name].family != family:
                raise ValueError(
                    f"the family {CATALOGUE[name].family} has a feature {name!r} already; name it otherwise"
                )
            CATALOGUE[name] = Feature(
                name, family, says.format(place=place), unit, known, is_assumed, in_spells, bound(compute, given)
            )
        return compute

    return enter


def family_of(module: str) -> str:
    """The family of features that a module defines; all of ours are known before the first of another's.

    Examples
    --------
    >>> family_of("shipcast.features.families.soak"), family_of("night_shifts"), family_of("__main__")
    ('soak', 'night_shifts', 'notebook')
    """
    if not module.startswith(FAMILIES):
        catalogue()
    return NOTEBOOK if module == "__main__" else module.rpartition(".")[2]


def places(of_lower: bool) -> list[tuple[str, str, tuple[str, ...]]]:
    """Of each variant the prefix of its name, its place in words, and the further arguments."""
    return [(f"{key}_", words, (key,)) for key, words in LOWER.items()] if of_lower else [("", "", ())]


def bound(compute: Callable[..., pl.Series], further: tuple[Any, ...]) -> Compute:
    return lambda rows, past: compute(rows, past, *further)


@cache
def our_families() -> tuple[str, ...]:
    """The families that come with the program, in their order."""
    families = importlib.import_module(FAMILIES)
    return tuple(module.name for module in pkgutil.iter_modules(families.__path__))


def looks_at_the_change(one: Feature) -> bool:
    """Whether it may differ between two changes of one service at one time; of one's own features nobody knows."""
    return one.family == CHANGE or one.family not in our_families()


def catalogue() -> tuple[Feature, ...]:
    """Every feature there is, by family and then in the order of their definition."""
    for family in our_families():
        importlib.import_module(f"{FAMILIES}.{family}")
    return tuple(sorted(CATALOGUE.values(), key=lambda one: one.family))


def chosen(*names: str) -> tuple[Feature, ...]:
    """The features of these names.

    Raises
    ------
    FeatureMissing
        Nothing defines one of them.
    """
    known = {one.name: one for one in catalogue()}
    missing = [name for name in names if name not in known]
    if missing:
        raise FeatureMissing(
            f"The model looks at {', '.join(missing)}, which no file of features defines.",
            next_step="Name the file that does in the setting features of shipcast.toml, or train another: "
            "shipcast train --promote",
            features=missing,
        )
    return tuple(known[name] for name in names)


def with_features(rows: pl.DataFrame, past: Past, features: Iterable[Feature] | None = None) -> pl.DataFrame:
    """The rows with one column for each feature; what is no finite number is made null, since it is unknown.

    Raises
    ------
    FeatureFailed
        One of the user's own breaks off, or gives no number for each row.
    """
    chosen = catalogue() if features is None else features
    return rows.with_columns([values(one, rows, past) for one in chosen])


def values(one: Feature, rows: pl.DataFrame, past: Past) -> pl.Series:
    """What a feature gives, one number a row."""
    try:
        found = one.compute(rows, past).cast(pl.Float64).alias(one.name)
        if len(found) != len(rows):
            raise ValueError(f"{len(found):,} values for {len(rows):,} rows")
        return found.set(~found.is_finite(), None)
    except (Exception, SystemExit) as error:  # one that ends the process would end it as if all were done
        if one.family in our_families():
            raise
        raise FeatureFailed(
            f"The feature {one.name} of {one.family} fails: {in_a_line(error)}.",
            next_step="Correct the function of that name; it takes the rows and the past, and gives a number a row.",
            feature=one.name,
        ) from error
