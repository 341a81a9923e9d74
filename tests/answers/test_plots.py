"""The pictures of a training: the same each time, of what there is to see, and nothing of theirs outside the home."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from company import CUT

from shipcast.answers.plots import draw_plots
from shipcast.models.candidates import Blend, Rate
from shipcast.models.serving import served
from shipcast.models.training import Trained, scores_of
from shipcast.pipeline import FONTS

NAMES = ["reliability.png", "gain.png", "week.png", "families.png"]
ALONE = """
import sys
from pathlib import Path
from test_plots import training
from shipcast.answers.plots import draw_plots

draw_plots(training(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[2]) / "fonts")
"""


def training(home):
    """The one of that home."""
    cut_off = CUT.replace(tzinfo=None)
    forecasts = pl.read_parquet(next(home.glob("models/artifacts/*/artifacts/forecasts.parquet")))
    judged = {"regression": scores_of(forecasts.filter("is_settled"))}
    return Trained("regression", served(home, cut_off).model, cut_off, 400, 60, "digest", judged, forecasts, {}, ())


@pytest.fixture(scope="module")
def trained(trained_home):
    return training(trained_home.home)


@pytest.fixture(scope="module")
def fonts(trained_home):
    """The list that the home has, since making one takes seconds."""
    return trained_home.home / "models" / FONTS


def names(paths):
    return [path.name for path in paths]


def test_the_registry_keeps_them_with_the_model(trained_home):
    kept = trained_home.home.glob("models/artifacts/*/artifacts/*.png")

    assert sorted(names(kept)) == sorted(NAMES)


def test_equal_trainings_give_equal_pictures_without_a_date(trained, fonts, tmp_path):
    (tmp_path / "again").mkdir()
    first, again = (draw_plots(trained, folder, fonts) for folder in (tmp_path, tmp_path / "again"))

    assert names(first) == NAMES
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert not any(chunk in path.read_bytes() for path in first for chunk in (b"tEXt", b"tIME", b"iTXt"))


def test_what_is_not_there_is_not_drawn(trained, fonts, tmp_path):
    unsettled = trained.forecasts.with_columns(is_settled=pl.lit(False))
    rate = Rate().fit(trained.forecasts)
    blend = Blend()
    blend.regression.model_ = trained.model.model_
    draw = {
        name: names(draw_plots(replace(trained, **other), tmp_path, fonts))
        for name, other in {
            "unsettled": {"forecasts": unsettled},
            "rate": {"model": rate},
            "blend": {"model": blend},
            "nothing": {"model": rate, "forecasts": unsettled},
        }.items()
    }

    assert draw == {"unsettled": NAMES[2:], "rate": NAMES[:2], "blend": NAMES, "nothing": []}


def test_whoever_has_none_of_ones_own_keeps_fonts_in_the_folder_that_is_given(trained_home, tmp_path):
    for name in ("user", "out"):
        (tmp_path / name).mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "user"), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-c", ALONE, str(trained_home.home), str(tmp_path / "out")],
        cwd=tmp_path, env=environ, check=True,
    )  # fmt: skip

    assert [*(tmp_path / "user").iterdir()] == []
    assert [*(tmp_path / "out" / "fonts").glob("fontlist*")] != []


def test_the_effect_of_the_hour_is_what_moves_forecasts_of_a_service_never_seen(trained):
    hours = np.arange(0, 168, 12)
    asked = pl.DataFrame({"hour_of_week": hours}).with_columns(
        service=pl.lit("unseen"), team=pl.lit(None, pl.String), change_type=pl.lit(None, pl.String),
        **{name: pl.lit(None, pl.Float64) for name in trained.model.feature_names()},
    )  # fmt: skip
    odds, effect = trained.model.draws(asked), trained.model.model_.week_effect()[:, hours]
    moved, its = ((drawn - drawn[:, :1])[:, 1:] for drawn in (odds, effect))

    assert moved.mean(axis=0) == pytest.approx(its.mean(axis=0), abs=0.05)
    assert moved.std(axis=0).mean() == pytest.approx(its.std(axis=0).mean(), rel=0.25)  # of a few hundred draws


def test_coefficients_are_named_and_that_of_size_is_clear(trained):
    found = {one.column.label: one for one in trained.model.model_.coefficients()}

    assert found["lines"].mean > 3 * found["lines"].spread > 0
