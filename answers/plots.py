"""What a training looks like: pictures that the registry keeps beside the model, and MLflow's pages show.

Equal trainings give equal files. matplotlib is imported only once a picture is drawn, and keeps its list of fonts in
the folder that it is given, unless whoever imported it before has chosen another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from shipcast.answers.statistics import wilson
from shipcast.answers.training import worth
from shipcast.answers.words import plural, share
from shipcast.features.clock import DAY_HOURS, HOURS_OF_WEEK
from shipcast.models.candidates import Blend, Candidate, Regression
from shipcast.models.failure import FailureModel
from shipcast.models.scores import daily, log_losses, reliability
from shipcast.models.training import Trained, days_of, failed_of
from shipcast.settings import tell_libraries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, RED, INK, PAPER = "#0072B2", "#D55E00", "#000000", "#F2EBDD"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WIDTH, HEIGHT, DOTS = 8.0, 4.5, 100
LEAST_CHANCE = 1e-3  # at which the axes of the reliability diagram begin
TAIL, SPREADS = 0.025, 1.96
Draw = Callable[["Axes"], None]


def draw_plots(trained: Trained, folder: Path, fonts: Path) -> list[Path]:
    """Draw what there is to be seen of a training into files of that folder, and name them.

    Without settled forecasts, or of a candidate that has neither hours nor coefficients, some are not drawn.
    """
    settled = trained.forecasts.filter("is_settled")
    plots: dict[str, tuple[Draw, float]] = {}
    if len(settled):
        plots["reliability"] = lambda axes: draw_reliability(axes, settled), HEIGHT
        plots["gain"] = lambda axes: draw_gain(axes, settled, worth(trained)), HEIGHT
    model = regression_of(trained.model)
    if model is not None and trained.deployments:
        plots["week"] = lambda axes: draw_week(axes, model), HEIGHT
        plots["families"] = lambda axes: draw_families(axes, model), max(HEIGHT, 1.5 + 0.22 * len(model.columns_))
    return [drawn(draw, height, folder / f"{name}.png", fonts) for name, (draw, height) in plots.items()]


def regression_of(model: Candidate) -> FailureModel | None:
    """The regression in a candidate; null: it has none."""
    if isinstance(model, Blend):
        return model.regression.model_
    return model.model_ if isinstance(model, Regression) else None


def drawn(draw: Draw, height: float, path: Path, fonts: Path) -> Path:
    if "matplotlib" not in sys.modules:
        tell_libraries({"MPLCONFIGDIR": str(fonts)})
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():  # whatever somebody has set for pictures of their own
        matplotlib.rcdefaults()
        figure = Figure(figsize=(WIDTH, height), dpi=DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes)
        figure.savefig(path, metadata={"Software": None})
    return path


def draw_reliability(axes: Axes, settled: pl.DataFrame) -> None:
    """Tenths of the deployments by what was forecast: the share that failed, with its Wilson interval."""
    groups = reliability(settled["chance"].to_numpy(), failed_of(settled))
    said = np.array([max(one.mean, LEAST_CHANCE) for one in groups])
    came = np.array([max(one.failures / one.n, LEAST_CHANCE) for one in groups])
    low, high = np.array([wilson(one.failures, one.n) or (0.0, 1.0) for one in groups]).T
    most = min(1.0, 3 * max(said.max(), high.max()))
    axes.plot([LEAST_CHANCE, most], [LEAST_CHANCE, most], color=INK, linestyle="--", linewidth=1)
    axes.annotate("as it was said", (most, most), (-8, 0), textcoords="offset points", ha="right", va="top")
    axes.errorbar(said, came, [came - np.maximum(low, LEAST_CHANCE), high - came], fmt="o", color=BLUE, capsize=3)
    for one, x, y in zip(groups, said, high, strict=True):
        text = f"{one.failures} of {one.n:,}"
        axes.annotate(text, (x, y), (0, 4), textcoords="offset points", ha="center", size=7, rotation=90)
    axes.set(xscale="log", yscale="log", xlim=(LEAST_CHANCE, most), ylim=(LEAST_CHANCE, most))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, place: share(value))
    axes.set_xlabel("chance that was said (mean of a tenth)")
    axes.set_ylabel("share that failed, with 95 % interval")
    axes.set_title(f"What was said and what came, {plural(len(settled), 'deployment')} judged", loc="left")


def draw_gain(axes: Axes, settled: pl.DataFrame, said: str) -> None:
    """The log loss saved against the base rate, added up from the first forecast on, with the days of failures."""
    rows = settled.sort("started_at", "deployment_id")
    failed, days = failed_of(rows), days_of(rows)
    losses, others = (log_losses(rows[name].to_numpy(), failed) for name in ("chance", "base"))
    sums, dates = daily(np.column_stack([others - losses, failed]), days), np.unique(days)
    saved = np.cumsum(sums[:, 0])
    axes.axhline(0, color=INK, linestyle="--", linewidth=1)
    axes.annotate("the base rate", (0.01, 0), xycoords=("axes fraction", "data"), va="bottom")
    axes.step(dates, saved, where="post", color=BLUE)
    had = sums[:, 1] > 0
    axes.scatter(dates[had], saved[had], 12 * sums[had, 1], color=RED, alpha=0.6, zorder=3)
    axes.set_ylabel("log loss saved so far; higher is better")
    axes.set_xlabel("start of the deployment; a dot is a day with failures, as large as these are many")
    axes.tick_params(axis="x", labelrotation=30)
    axes.set_title(f"Gain over the base rate: {said}", loc="left", size=10)


def draw_week(axes: Axes, model: FailureModel) -> None:
    """How the company's local hour of the week multiplies the odds of a failure: mean and 95 % of the draws."""
    effect = model.week_effect()
    low, high = np.exp(np.quantile(effect, (TAIL, 1 - TAIL), axis=0))
    hours = np.arange(HOURS_OF_WEEK)
    for day in (5, 6):
        axes.axvspan(day * DAY_HOURS, (day + 1) * DAY_HOURS, color=PAPER, linewidth=0)
    axes.axhline(1, color=INK, linestyle="--", linewidth=1)
    axes.fill_between(hours, low, high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(hours, np.exp(effect.mean(axis=0)), color=BLUE)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.set_xticks(np.arange(len(DAYS)) * DAY_HOURS + DAY_HOURS // 2, DAYS)
    axes.set_xticks(np.arange(len(DAYS) + 1) * DAY_HOURS, minor=True)
    axes.set_xlim(0, HOURS_OF_WEEK - 1)
    axes.tick_params(axis="x", which="major", length=0)
    axes.set_xlabel("local hour of the service's week")
    axes.set_ylabel("odds of a failure, against the usual hour")
    none = share(float(model.week_beliefs_[0]))
    axes.set_title(f"Effect of the hour, given the change; that there is none has {none} of the belief", loc="left")


def draw_families(axes: Axes, model: FailureModel) -> None:
    """Every coefficient with its 95 % interval, by family, over the band within which the family is held."""
    found = sorted(model.coefficients(), key=lambda one: one.column.family)
    labels, places, place = [], [], 0.0
    for family, members in groupby(found, key=lambda one: one.column.family):
        its = list(members)
        spread = model.family_spreads_[family]
        axes.axhspan(place - 0.5, place + len(its) - 0.5, color=PAPER, linewidth=0)
        axes.barh(place + (len(its) - 1) / 2, 2 * spread, len(its), -spread, color=BLUE, alpha=0.15, linewidth=0)
        axes.annotate(
            f"{family}, held at {spread:g}", (1.01, place), xycoords=("axes fraction", "data"), va="center", size=8
        )
        for one in its:
            axes.errorbar(one.mean, place, xerr=SPREADS * one.spread, fmt="o", color=BLUE, markersize=3, capsize=2)
            labels.append(one.column.label)
            places.append(place)
            place += 1
        place += 0.5
    axes.axvline(0, color=INK, linestyle="--", linewidth=1)
    axes.set_yticks(places, labels, size=8)
    axes.set_ylim(place - 0.5, -1)
    axes.set_xlabel("log odds of a failure, per usual spread of the feature; a band is what its family is held at")
    axes.set_title("What goes with failures, given all else", loc="left")
