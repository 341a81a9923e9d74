"""The envelope that every answer shares, and the JSON Schemas that ship with it.

A verb's answer is a subclass of `Answer` that names its schema and the type of its items:

    class GreetingAnswer(Answer):
        schema_name: Literal["shipcast/greeting/1"] = Field(default="shipcast/greeting/1", alias="schema")
        items: tuple[Greeting, ...]
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

SCHEMAS = Path(__file__).parent / "schemas"


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC; a time without a zone is refused, since nobody could say which instant it is."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs its zone")
    return instant.astimezone(UTC)


def utc(instant: datetime) -> datetime:
    """A naive UTC instant, aware."""
    return instant.replace(tzinfo=UTC)


def optional_utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else utc(instant)


def naive(instant: datetime) -> datetime:
    """The instant as the marts hold it: in UTC, without saying so."""
    return in_utc(instant).replace(tzinfo=None)


def rfc3339(instant: datetime) -> str:
    """The instant in UTC, ending in Z; fractions of a second only where there are any.

    Examples
    --------
    >>> rfc3339(datetime(2025, 3, 30, 1, 0, tzinfo=UTC))
    '2025-03-30T01:00:00Z'
    """
    return naive(instant).isoformat() + "Z"


Instant = Annotated[
    datetime,
    AfterValidator(in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$"}),
]
Number = Annotated[float, Field(allow_inf_nan=False)]  # unknown is null, never NaN
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """A frozen piece of an answer; a field it does not declare is an error."""

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


class Answer(Part):
    """What every answer says besides its items.

    Parameters
    ----------
    schema_name
        "shipcast/<verb>/1"; `schema` in JSON.
    generated_at, as_of
        When it was computed; the time at which the question is asked: nothing known later went in.
    data_as_of
        The newest instant known at `as_of`; null: nothing was.
    sentence
        The answer in one sentence, with a verb, a time and a number.
    items, warnings
        What was asked for, and what the reader should know about it, in sentences.
    """

    schema_name: str = Field(alias="schema")
    generated_at: Instant
    as_of: Instant
    data_as_of: Instant | None
    sentence: str = ""
    items: tuple[BaseModel, ...]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The answer as JSON values: instants as text, unknown as None."""
        return self.model_dump(mode="json", by_alias=True)

    def as_json(self, indent: int | None = 2) -> str:
        return json.dumps(self.as_dict(), indent=indent, ensure_ascii=False, allow_nan=False)


def verb(answer: type[Answer]) -> str:
    """The verb that gives this answer, from the name of its schema."""
    return str(answer.model_fields["schema_name"].default).split("/")[1]


def answer_types() -> dict[str, type[Answer]]:
    """Every verb's answer, by verb; imports all of `answers` to find them."""
    package = importlib.import_module("shipcast.answers")
    for module in pkgutil.iter_modules(package.__path__, "shipcast.answers."):
        importlib.import_module(module.name)
    return {verb(kind): kind for kind in sorted(subclasses(Answer), key=verb)}


def subclasses(kind: type[Answer]) -> list[type[Answer]]:
    """All descendants that name a schema, and were defined in this package."""
    found = [descendant for child in kind.__subclasses__() for descendant in (child, *subclasses(child))]
    return [
        k
        for k in found
        if k.__module__.startswith("shipcast.") and isinstance(k.model_fields["schema_name"].default, str)
    ]


def json_schema(answer: type[Answer]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an answer as it is written."""
    schema = answer.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def write_schemas(folder: Path = SCHEMAS) -> list[Path]:
    """Write `<verb>.json` for every verb; the files that no verb has any more go.

    Returns
    -------
    The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    types = answer_types()
    written = [folder / f"{name}.json" for name in types]
    for path in set(folder.glob("*.json")) - set(written):
        path.unlink()
    for path, kind in zip(written, types.values(), strict=True):
        path.write_text(json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return written
