"""Models kept by what they learned from, so that questions over the same rows fit them once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import polars as pl

Model = TypeVar("Model")


class Rows:
    """Frames and words that something is made from; equal where all rows of all frames are."""

    def __init__(self, given: tuple[Any, ...]) -> None:
        self.given = given
        self.mark = hash(tuple(mark(one) for one in given))

    def __hash__(self) -> int:
        return self.mark

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and all(map(is_same, self.given, other.given))


def mark(one: Any) -> int:
    """A number that is the same for equal frames, and seldom for others."""
    if not isinstance(one, pl.DataFrame):
        return hash(one)
    return hash((one.height, *(one.row(place) for place in (0, -1) if one.height)))


def is_same(one: Any, other: Any) -> bool:
    return one.equals(other) if isinstance(one, pl.DataFrame) else bool(one == other)


def kept_by_rows(most: int) -> Callable[[Callable[..., Model]], Callable[..., Model]]:
    """Of a function of frames and words, which makes a model of them, keep the models asked for last.

    Those who ask share a model: nobody may fit it again.
    """

    def keeping(make: Callable[..., Model]) -> Callable[..., Model]:
        found = lru_cache(maxsize=most)(lambda rows: make(*rows.given))

        @wraps(make)
        def of(*given: Any) -> Model:
            return found(Rows(given))

        return of

    return keeping
