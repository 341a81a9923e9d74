"""The change itself: how large it is, and who wrote it."""

from __future__ import annotations

import polars as pl

from shipcast.features.feature import feature
from shipcast.features.past import Past

KNOWN = "with the change"


@feature("lines", KNOWN)
def lines(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Lines added and deleted since the last deployment."""
    return rows["lines"]


@feature("files", KNOWN)
def files(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Files touched since the last deployment."""
    return rows["files"]


@feature("commits", KNOWN)
def commits(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Commits since the last deployment."""
    return rows["commits"]


@feature("people", KNOWN)
def authors(rows: pl.DataFrame, past: Past) -> pl.Series:
    """People who wrote them."""
    return rows["authors"]


@feature("commits", KNOWN)
def human_commits(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Commits that no bot wrote."""
    return rows["commits"] - rows["bot_commits"]


@feature("share", KNOWN)
def bot_share(rows: pl.DataFrame, past: Past) -> pl.Series:
    """Share of the commits that bots wrote."""
    return rows.select(pl.when(pl.col("commits") > 0).then(pl.col("bot_commits") / pl.col("commits"))).to_series()
