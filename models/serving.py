"""The champion at work: read from its file, checked first, without MLflow and, but for trees, without scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shipcast.models.candidates import Blend, Candidate, Learned, Rate, Regression
from shipcast.models.errors import ModelDamaged, NotServable
from shipcast.models.registry import TRAIN_OR_BACK, Champion, champion, checked
from shipcast.models.stored import read_state, write_state

READERS: Mapping[str, Callable[[Mapping[str, Any]], Candidate]] = {
    "rate": Rate.from_state,
    "regression": Regression.from_state,
    "boosting": Learned.from_state,
    "blend": Blend.from_state,
}
SERVABLE = "It can be back-tested all the same; docs/data-science.md says which estimators can serve."


@dataclass(frozen=True)
class Served:
    """A model that answers, and where it comes from."""

    entry: Champion
    model: Candidate


def served(home: Path, at: datetime) -> Served | None:
    """The model that answers questions as of that time (naive UTC); null: none was trained on what was known by then.

    Raises
    ------
    ModelError
        Its file is missing, damaged, or of a later version; the error says how to go on.
    """
    entry = champion(home, at)
    return None if entry is None else Served(entry, read(checked(home, entry), entry.recipe))


def keep(path: Path, recipe: str, model: Candidate) -> None:
    """Write a model file, and see that it gives the same kind of model back.

    Raises
    ------
    NotServable
        It does not: it is made of parts that are not read, since to read them might run what stands in them.
    """
    try:
        write_state(path, model.state())
        again = read(path, recipe)
    except (ModelDamaged, TypeError, ValueError, AttributeError) as error:
        why = str(error.__cause__ or error).splitlines()[0].rstrip(".")
        raise NotServable(f"{recipe} cannot be kept: {why}.", next_step=SERVABLE) from error
    if type(again) is not type(model):
        kinds = f"a {type(model).__name__} of that name would be read as {type(again).__name__}"
        raise NotServable(f"{recipe} cannot be kept: {kinds}.", next_step=SERVABLE)


def read(path: Path, recipe: str) -> Candidate:
    """The model in a file.

    Raises
    ------
    ModelDamaged
        What is in it is no such model.
    """
    try:
        return READERS.get(recipe, Learned.from_state)(read_state(path))
    except ModelDamaged as error:
        error.next_step = TRAIN_OR_BACK
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelDamaged(
            f"{path}: this is no {recipe}: {type(error).__name__} {error}.", next_step=TRAIN_OR_BACK, file=str(path)
        ) from error
