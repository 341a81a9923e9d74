"""The latest load forecast as a file in the home, for tools that want it; nothing of Shipcast reads it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shipcast.settings.errors import StorageError
from shipcast.settings.files import UNFINISHED, put_in_place

if TYPE_CHECKING:
    from shipcast.answers.forecast import ForecastAnswer

FILE = Path("forecasts") / "load.parquet"


def store(home: Path, answer: ForecastAnswer) -> Path:
    """Write the items with their `as_of` in place of the last ones; the file.

    Raises
    ------
    StorageError
        The home cannot be written.
    """
    import polars as pl

    path = home / FILE
    beside = path.with_name(f".{path.name}{UNFINISHED}")
    quantiles = dict.fromkeys(("p05", "p25", "p50", "p75", "p95"), pl.Float64())
    schema = {"service": pl.String(), "starts_at": pl.Datetime("us", "UTC"), **quantiles}
    rows = pl.DataFrame([item.model_dump() for item in answer.items], schema=schema)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.with_columns(as_of=pl.lit(answer.as_of).dt.cast_time_unit("us")).write_parquet(beside)
        put_in_place(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise StorageError(f"{path}: {error.strerror or error}.", next_step="See `shipcast doctor`.") from error
    return path
