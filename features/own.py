"""Features of one's own: the Python files that the setting `features` names.

They are the user's code and run as it stands, with all that their user may do, whenever models are trained or asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from shipcast.features.errors import FeatureFileFailed
from shipcast.features.feature import CATALOGUE, catalogue

SETTING = "Correct the file, or the setting features in shipcast.toml."
entered: set[str] = set()


def enter_files(paths: Iterable[Path]) -> None:
    """Run the files, so that the catalogue holds their features and none of files that were run before.

    A feature's family is the name of its file.

    Raises
    ------
    FeatureFileFailed
        A file cannot be read, raises an error, or has the name of a known family or feature.
    """
    for name in entered:
        CATALOGUE.pop(name, None)
    entered.clear()
    before = {one.name: one for one in catalogue()}
    try:
        for path in paths:
            run(path, {one.family for one in before.values()})
    finally:
        entered.update(name for name, one in CATALOGUE.items() if before.get(name) is not one)


def run(path: Path, families: Collection[str]) -> None:
    if path.stem in families:
        raise FeatureFileFailed(
            f"{path}: there is a family {path.stem!r} already.", next_step="Name the file otherwise.", file=str(path)
        )
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        exec(code, {"__name__": path.stem, "__file__": str(path)})
    except OSError as error:
        raise FeatureFileFailed(
            f"{path}: a file of features cannot be read: {error.strerror}.", next_step=SETTING, file=str(path)
        ) from error
    except (Exception, SystemExit) as error:  # a file that ends the process would end it as if all were done
        raise FeatureFileFailed(
            f"{path}: {type(error).__name__} while its features were read: {error}.",
            next_step=SETTING,
            file=str(path),
        ) from error
