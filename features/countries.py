"""The countries whose public holidays the library `holidays` knows."""

from __future__ import annotations

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays.holiday_base import HolidayBase


@cache
def codes() -> tuple[str, ...]:
    """Those of all countries, of two letters and of three."""
    from holidays.registry import EntityLoader  # which most questions need not wait for

    return tuple(EntityLoader.get_country_codes())


@cache
def country_class(code: str) -> type[HolidayBase]:
    """The library's class of a country, one of `codes`.

    It is taken from the file that the library names: imported by its name, it would come with the classes of all other
    countries, and these take a tenth of all the time that an answer does.
    """
    import holidays

    entity = getattr(holidays, code)
    path = Path(holidays.__file__).parent.joinpath(*entity.module_name.split(".")[1:]).with_suffix(".py")
    spec = spec_from_file_location(entity.module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[HolidayBase] = getattr(module, entity.entity_name)
    return found
