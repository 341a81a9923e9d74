"""What a row must satisfy, as SQL made from the tables' definitions; nothing is clipped, rounded or filled in.

A reader hands every value on as text. It is trimmed, empty means missing, and then it is read by its column's kind:

=========  ==========================================================================================================
text       as given; a column with choices is compared and stored in lower case
instant    ISO 8601 date or date-time, extended or basic, with `Z`, an offset or none; a date is its midnight. Without
           an offset it is wall clock in the source's zone: the later of the two in a repeated hour, moved on by the
           gap where the clock skips
integer    digits with a sign; `12.0` is 12, while `1.5`, `1e3` and `1,000` are no whole numbers: nothing is rounded
number     a decimal number with a point, `1e3` too; finite
boolean    true, t, yes, y, 1 or false, f, no, n, 0
list       elements separated by `;`, trimmed, empty ones left out
=========  ==========================================================================================================

The words null, NA and None are text like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shipcast.ingest.piece import ORIGIN
from shipcast.warehouse.tables import Column, Table

FIRST_INSTANT = "2000-01-01"
AHEAD = timedelta(days=1)  # of the wall clock, that an instant may be
OFFSET = r"(?:[Zz]|[+-](?:0\d|1[0-8])(?::?[0-5]\d)?)"
# What DuckDB's cast reads correctly; anything else is rewritten or refused, as the cast also takes 'infinity',
# 'epoch', names of zones and offsets of 25 hours.
DIRECT = rf"\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?{OFFSET.replace('Zz', 'Z')}?)?"
EXTENDED = rf"\d{{4}}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?{OFFSET})?)?"
BASIC = rf"\d{{8}}[Tt]\d{{4}}(?:\d\d(?:[.,]\d+)?)?{OFFSET}?"
WHOLE = r"[+-]?\d+(?:\.0*)?"
DECIMAL = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
NOT_FINITE = r"(?i)[+-]?(?:nan|inf|infinity)"
LARGEST = "9223372036854775807"  # of 64 bits; beyond it sums would run into infinity
ESCAPED = r"\\x[0-9a-f]{2}"  # how the quarantine writes a byte that does not decode
TRUE = "('true', 't', 'yes', 'y', '1')"
FALSE = "('false', 'f', 'no', 'n', '0')"


@dataclass(frozen=True)
class Check:
    """One rule on one column.

    Parameters
    ----------
    rule, column
        The rule's name in the quarantine, and the column it is about.
    breaks
        SQL that is true for a row that breaks it; null counts as false.
    reason
        SQL for the words that say so.
    """

    rule: str
    column: str
    breaks: str
    reason: str


def raw(name: str) -> str:
    """The column that holds the value as text, trimmed, null where empty."""
    return f'"{name}$"'


def typed(column: Column) -> str:
    """SQL that reads the column's text as its kind; null where it cannot be read."""
    text = raw(column.name)
    match column.kind:
        case "instant":
            return instant(text)
        case "integer":
            digits = f"split_part({text}, '.', 1)"
            return f"case when regexp_full_match({text}, '{WHOLE}') then try_cast({digits} as bigint) end"
        case "number":
            number = f"try_cast({text} as double)"
            return f"case when regexp_full_match({text}, '{DECIMAL}') and abs({number}) <= {LARGEST} then {number} end"
        case "boolean":
            return f"case when lower({text}) in {TRUE} then true when lower({text}) in {FALSE} then false end"
        case "list":
            elements = f"list_transform(string_split({text}, ';'), lambda x: trim(x))"
            return f"list_filter({elements}, lambda x: x <> '')"
        case "text":
            return f"lower({text})" if column.choices else text


def instant(text: str) -> str:
    """SQL for the instant, a naive timestamp in UTC; the session's time zone must be the source's."""
    parted = rf"regexp_replace({text}, '^(\d{{4}})(\d\d)(\d\d)([Tt]\d\d)(\d\d)', '\1-\2-\3\4:\5:')"
    extended = rf"regexp_replace({parted}, ':([^0-9]|$)', '\1')"
    plain = rf"regexp_replace(replace(upper({extended}), ',', '.'), ' ([Z+-])', '\1')"
    is_iso = f"regexp_full_match({text}, '{EXTENDED}') or regexp_full_match({text}, '{BASIC}')"
    unusual = f"case when {is_iso} then try_cast({plain} as timestamptz) end"
    direct = f"try_cast({text} as timestamptz)"
    return f"timezone('UTC', case when regexp_full_match({text}, '{DIRECT}') then {direct} else {unusual} end)"


def checks(table: Table, now: datetime) -> list[Check]:
    """The table's rules in the order in which a row is told of them.

    Parameters
    ----------
    now
        The wall clock, UTC and naive: no instant may lie more than a day after it.
    """
    found = [check for column in table.columns for check in column_checks(column, now)]
    return found + [order_check(earlier, later) for earlier, later in table.order]


def column_checks(column: Column, now: datetime) -> Iterator[Check]:
    name, text, value = column.name, raw(column.name), f'"{column.name}"'
    unread = f"{text} is not null and {value} is null"
    if column.required:
        yield Check("required_value_missing", name, f"{text} is null", f"'{name} is empty'")
    if column.choices:
        known = ", ".join(f"'{choice}'" for choice in column.choices)
        yield Check(
            f"unknown_{name}", name, f"{value} not in ({known})", said(name, f"is none of {', '.join(column.choices)}")
        )
    if column.kind == "instant":
        yield Check("not_a_time", name, unread, said(name, "is not an ISO 8601 time"))
        yield from year_checks(column, now)
    if column.kind in ("integer", "number"):
        yield from number_checks(column, unread)
    if column.kind in ("text", "list"):
        undecoded = f"{ORIGIN} is not null and regexp_matches({text}, '{ESCAPED}')"
        yield Check("bytes_do_not_decode", name, undecoded, said(name, "still holds bytes that are not UTF-8"))
    if column.kind == "boolean":
        yield Check("not_true_or_false", name, unread, said(name, "is neither true nor false"))


def year_checks(column: Column, now: datetime) -> Iterator[Check]:
    name = column.name
    last = (now + AHEAD).isoformat(sep=" ")
    early = said(name, "is before the year 2000", quote="")
    yield Check("year_out_of_range", name, f"\"{name}\" < timestamp '{FIRST_INSTANT}'", early)
    late = said(name, "lies more than a day in the future", quote="")
    yield Check("year_out_of_range", name, f"\"{name}\" > timestamp '{last}'", late)


def number_checks(column: Column, unread: str) -> Iterator[Check]:
    name, text = column.name, raw(column.name)
    is_whole = column.kind == "integer"
    pattern = WHOLE if is_whole else DECIMAL
    beyond = f"{unread} and (regexp_full_match({text}, '{pattern}') or regexp_full_match({text}, '{NOT_FINITE}'))"
    words = "does not fit 64 bits" if is_whole else "is not a finite number of 64 bits"
    yield Check("number_out_of_range", name, beyond, said(name, words))
    rule, words = ("not_a_whole_number", "is not a whole number") if is_whole else ("not_a_number", "is not a number")
    yield Check(rule, name, f"{unread} and not ({beyond})", said(name, words))
    if column.minimum is not None:
        below = said(name, f"is below {column.minimum}", quote="")
        yield Check("number_out_of_range", name, f'"{name}" < {column.minimum}', below)


def order_check(earlier: str, later: str) -> Check:
    reason = f"'{later} ' || {shown(later)} || ' is before {earlier} ' || {shown(earlier)}"
    return Check(f"{later}_before_{earlier}", later, f'"{later}" < "{earlier}"', reason)


def said(name: str, words: str, quote: str = "''") -> str:
    return f"'{name} {quote}' || {shown(name)} || '{quote} {words}'"


def shown(name: str) -> str:
    """SQL for a value as it was given, fit for a terminal: at most 80 characters, none of them invisible."""
    text = raw(name)
    cut = f"case when length({text}) > 80 then left({text}, 79) || '…' else {text} end"
    return rf"coalesce(regexp_replace({cut}, '[\p{{Cc}}\p{{Cf}}]', '�', 'g'), '')"


def name_of_row(table: Table) -> str:
    """SQL for the row's key as messages show it, with a colon and a space behind; empty where it has none."""
    keys = ", ".join(f"nullif({shown(name)}, '')" for name in table.key)
    return f"coalesce(nullif(concat_ws(' ', {keys}), '') || ': ', '')"


def read_rows(table: Table, source: str) -> str:
    """SQL that reads the text rows of `source` as what they are, keeping the text beside."""
    values = ", ".join(f'{typed(column)} as "{column.name}"' for column in table.columns)
    return f"select *, {values} from {source}"


def is_bad(table: Table, now: datetime) -> str:
    """SQL that is true for a row that breaks any rule."""
    return " or ".join(f"coalesce({check.breaks}, false)" for check in checks(table, now))


def broken_rules(table: Table, now: datetime) -> str:
    """SQL for the list of the rules a row breaks, each with `rule`, `column` and `reason`."""
    found = ", ".join(
        f"case when {check.breaks} then "
        f"{{'rule': '{check.rule}', 'column': '{check.column}', 'reason': {check.reason}}} end"
        for check in checks(table, now)
    )
    return f"list_filter([{found}], lambda x: x is not null)"
