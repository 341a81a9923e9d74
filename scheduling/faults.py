"""What is wrong with a value from outside, in the program's words instead of those of the library that checks it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shipcast.settings.errors import own_words

SHOWN = 7  # faults, beside a heading, how many more there are, and what to do
LONGEST = 60
WORDS = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "json_invalid": "is no JSON",
    "dict_type": "must be an object",
    "model_attributes_type": "must be an object",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "model_type": "must be a table such as {{ service = ['pay-*'] }}",
    "literal_error": "must be {expected}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "string_too_short": "must not be empty",
    "string_too_long": "must have {max_length} characters at most",
    "too_short": "must not be empty",
    "too_long": "must have {max_length} characters at most",
}


def worded(fault: Mapping[str, Any]) -> str:
    """What a value must be, of a fault as pydantic gives it.

    >>> worded({"type": "greater_than_equal", "ctx": {"ge": 1}, "msg": "Input should be greater than or equal to 1"})
    'must be 1 or more'
    """
    if fault["type"] in WORDS:
        return WORDS[fault["type"]].format_map({name: whole(value) for name, value in fault.get("ctx", {}).items()})
    said = own_words(str(fault["msg"])).rstrip(".")
    return said[:1].lower() + said[1:]


def whole(value: object) -> object:
    """A number without its decimals where they are zero."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(value: object) -> str:
    """A value as it would be typed, cut where it is long.

    >>> shown(None), shown("soon"), shown(True), shown([None])
    ('null', "'soon'", 'true', '[None]')
    """
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def listed(faults: Sequence[str]) -> list[str]:
    """The first faults, each on its line, and how many more there are.

    >>> listed(["a: must be text", "b: must be a list"])
    ['- a: must be text', '- b: must be a list']
    """
    more = [f"- and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
    return [*(f"- {one}" for one in faults[:SHOWN]), *more]
