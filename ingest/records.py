"""Records of delimited text: lines into records, set by set, so that one broken quote costs one row.

A chunk is cut into lines by the places of its line feeds. A line without quotes is a record. Of the others a regular
expression says whether they are complete, open a quoted field that a later line closes, or neither. An opening line is
joined with the lines up to the one that closes it only if the outcome is a record of the right number of fields;
otherwise it stays alone, to be quarantined, and reading goes on with the next line.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from shipcast.ingest.headers import EXPORTED

# A quote still open after so many lines or bytes is taken for a missing one.
LONGEST_RECORD = 10_000
LARGEST_RECORD = 2**24
QUOTE = ord('"')
LINE_FEED = ord("\n")

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Grammar:
    """How fields and records of one delimiter look, as regular expressions over a record behind one more delimiter.

    Putting a delimiter before the record makes every field begin with one. A quote within an unquoted field stands
    for itself.
    """

    def __init__(self, delimiter: str, fields: int) -> None:
        d = "\\t" if delimiter == "\t" else delimiter
        quoted = '"(?:[^"]|"")*"'
        plain = f'[^"{d}][^{d}]*'
        self.delimiter = delimiter
        self.fields = fields
        self.strict = f'^(?:{d}(?:{quoted}|[^"{d}]*)){{{fields}}}$'
        self.complete = f"^(?:{d}(?:{quoted}|{plain}|))+$"
        self.opening = f'^(?:{d}(?:{quoted}|{plain}|))*{d}"(?:[^"]|"")*$'
        self.quoted_field = f'{d}"(?:[^"]|"")*(?:"|$)'
        self.field = f"{d}(?:{quoted}|[^{d}]*)"
        self.export = f'^(?:(?:{quoted}|[^"{d}]*){d}){{{len(EXPORTED)}}}'

    def is_strict(self, records: pl.Series) -> pl.Series:
        """Whether each is a record of the right number of fields whose quotes all enclose fields."""
        return (self.delimiter + records).str.contains(self.strict)

    def states(self, records: pl.Series) -> tuple[Mask, Mask, Places]:
        """Whether each is complete, whether it ends within an open quoted field, and its number of fields."""
        behind = self.delimiter + records
        count = behind.str.replace_all(self.quoted_field, self.delimiter).str.count_matches(
            self.delimiter, literal=True
        )
        return (
            behind.str.contains(self.complete).to_numpy(),
            behind.str.contains(self.opening).to_numpy(),
            count.cast(pl.Int64).to_numpy(),
        )

    def split(self, records: pl.Series) -> pl.DataFrame:
        """The fields of complete records, one column each, their quotes taken off."""
        fields = (self.delimiter + records).str.extract_all(self.field)
        width = pl.DataFrame({"fields": fields}).select(
            pl.col("fields").list.get(place, null_on_oob=True).str.slice(1).alias(str(place))
            for place in range(self.fields)
        )
        bare = pl.all().str.slice(1).str.head(-1).str.replace_all('""', '"', literal=True)
        return width.select(pl.when(pl.all().str.starts_with('"')).then(bare).otherwise(pl.all()))

    def without_export(self, records: pl.Series) -> pl.Series:
        """The records without the columns that `quarantine export` put before them."""
        return records.str.replace(self.export, "")

    def origin(self, records: pl.Series) -> pl.Series:
        """The quarantine id with which a record begins; null where it begins otherwise."""
        return records.str.extract(r'^\s*"?([0-9a-f]{16})"?' + ("\t" if self.delimiter == "\t" else self.delimiter))


@dataclass(frozen=True)
class Records:
    """A chunk cut into records.

    Parameters
    ----------
    data, starts, ends
        The bytes, and where each record begins and ends; its line feed lies before its end.
    lines
        Each record's first line number, 1-based.
    rest, rest_line
        The bytes of a record that the next chunk may close, and the number of their first line.
    """

    data: bytes
    starts: Places
    ends: Places
    lines: Places
    is_blank: Mask
    is_strict: Mask
    is_complete: Mask
    is_text: Mask
    fields: Places
    rest: bytes
    rest_line: int

    @property
    def size(self) -> int:
        """The bytes of memory they take up."""
        return len(self.data) + sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))

    def content(self, mask: Mask) -> bytes:
        """The bytes of the records that the mask names, one behind the other."""
        if mask.all() or not mask.any():
            return self.data if mask.any() else b""
        within = np.frombuffer(self.data, np.uint8)[self.starts[0] : self.ends[-1]]
        return within[np.repeat(mask, np.diff(self.offsets))].tobytes()

    def binary(self, mask: Mask) -> pl.Series:
        """The records that the mask names, over the chunk's own bytes."""
        return stretches(pa.large_binary(), self.offsets, self.data).filter(pl.Series(mask))

    @property
    def offsets(self) -> Places:
        """Where each record begins, and where the last one ends: each ends where the next begins."""
        return np.append(self.starts, self.ends[-1:])


class Lines:
    """A chunk's lines, and what becomes of each: the marks are settled by `join`.

    Parameters
    ----------
    data
        Whole lines; the last one ends in a line feed too.

    Attributes
    ----------
    is_first
        Whether a record begins with the line.
    is_strict, is_complete, fields
        Of the record that begins with the line: whether its quotes all enclose one of the right number of fields,
        whether every quote is closed, and its number of fields.
    """

    def __init__(self, data: bytes, grammar: Grammar) -> None:
        self.grammar = grammar
        self.array = np.frombuffer(data, np.uint8)
        self.ends = np.flatnonzero(self.array == LINE_FEED) + 1
        self.starts = np.append(0, self.ends[:-1])
        self.fields = self.counted(ord(grammar.delimiter)) + 1
        self.is_quoted = self.counted(QUOTE) > 0
        self.is_first = np.ones(len(self.starts), np.bool_)
        self.is_complete = ~self.is_quoted
        self.is_strict = self.is_complete & (self.fields == grammar.fields)
        self.is_blank = self.blank()

    def counted(self, byte: int) -> Places:
        """How often a byte stands in each line."""
        places = np.flatnonzero(self.array == byte)
        return np.diff(np.searchsorted(places, self.ends), prepend=0).astype(np.int64)

    def blank(self) -> Mask:
        """Lines of nothing but white space: no rows."""
        is_blank: Mask = (self.fields == 1) & (self.array[self.starts] <= ord(" "))
        candidates = np.flatnonzero(is_blank)
        if len(candidates):
            bounds = np.column_stack([self.starts[candidates], self.ends[candidates]]).ravel()
            is_ink = np.append(self.array > ord(" "), False)
            is_blank[candidates] = ~np.logical_or.reduceat(is_ink, bounds)[::2]
        return is_blank

    def text(self, chosen: Mask) -> pl.Series:
        """The records that begin with the chosen lines.

        Every byte that is no ASCII is masked: enough to see where quotes and fields end, whatever the bytes are.
        """
        offsets = np.append(self.starts[self.is_first], self.ends[-1:])
        masked = np.minimum(self.array, 127)
        strings = stretches(pa.large_string(), offsets, masked)
        return strings.filter(pl.Series(chosen[self.is_first])).str.strip_chars_end("\r\n")

    def join(self, *, is_last: bool) -> int:
        """Settle the marks; the number of lines settled, all of them unless a record is still open at the end."""
        quoted = np.flatnonzero(self.is_quoted)
        if not len(quoted):
            return len(self.starts)
        text = self.text(self.is_quoted)
        self.is_strict[quoted] = self.is_complete[quoted] = is_strict = self.grammar.is_strict(text).to_numpy()
        self.fields[quoted[is_strict]] = self.grammar.fields
        others = np.flatnonzero(~is_strict)
        if not len(others):
            return len(self.starts)
        complete, opening, count = self.grammar.states(text.gather(others))
        self.is_complete[quoted[others]] = complete
        self.fields[quoted[others]] = count
        if not opening.any():
            return len(self.starts)
        spans, until = self.spans(quoted, text, others[opening], is_last=is_last)
        self.settle(spans)
        return until

    def spans(self, quoted: Places, text: pl.Series, openers: Places, *, is_last: bool) -> tuple[Places, int]:
        """The first and last lines of the records that are joined, and the number of lines settled.

        `quoted` are the lines with quotes and `text` what they hold; `openers` are places among them. Seen from within
        an open field a line reads as if a quote came first, so whether it closes the record, goes on or breaks it
        depends on nothing before it, and the fields it adds can be summed up beforehand.
        """
        start = int(openers[0]) + 1
        closes, goes_on, count = self.grammar.states('"' + text.slice(start))
        added = np.append(np.zeros(start + 1, np.int64), np.cumsum(count - 1))
        ends = np.flatnonzero(~goes_on) + start
        closer = np.append(ends, -1)[np.searchsorted(ends, openers, side="right")]
        is_closed = np.append(closes, False)[np.where(closer < 0, -1, closer - start)]
        fields = self.fields[quoted[openers]] + added[closer + 1] - added[openers + 1]
        last = np.where(closer < 0, len(self.starts) - 1, quoted[closer])
        is_short = (last - quoted[openers] < LONGEST_RECORD) & (
            self.ends[last] - self.starts[quoted[openers]] <= LARGEST_RECORD
        )
        is_right = is_closed & is_short & (fields == self.grammar.fields)
        is_open = (closer < 0) & is_short & (not is_last)
        found: list[tuple[int, int]] = []
        done, until = -1, len(self.starts)
        # A joined record hides the openers within it, so each choice hangs on the one before.
        for index in np.flatnonzero(is_right | is_open).tolist():
            if openers[index] <= done:
                continue
            if is_open[index]:
                until = int(quoted[openers[index]])
                break
            done = int(closer[index])
            found.append((int(openers[index]), done))
        return quoted[np.array(found, np.int64).reshape(-1, 2)], until

    def settle(self, spans: Places) -> None:
        """Mark the joined records as such."""
        firsts, lasts = spans.T
        depth = np.zeros(len(self.starts) + 1, np.int64)
        depth[firsts + 1] += 1
        depth[lasts + 1] -= 1
        self.is_first[np.cumsum(depth[:-1]) > 0] = False
        self.is_complete[firsts] = True
        self.fields[firsts] = self.grammar.fields
        is_joined = np.zeros(len(self.starts), np.bool_)
        is_joined[firsts] = True
        self.is_strict[firsts] = self.grammar.is_strict(self.text(is_joined)).to_numpy()


def cut(data: bytes, first_line: int, grammar: Grammar, *, is_last: bool) -> Records:
    """The records of whole lines, the first of which has the number `first_line`."""
    lines = Lines(data, grammar)
    until = lines.join(is_last=is_last)
    firsts = np.flatnonzero(lines.is_first[:until])
    lasts = np.append(firsts[1:], until) - 1 if len(firsts) else firsts
    end = int(lines.starts[until]) if until < len(lines.starts) else len(data)
    settled = data[:end]
    return Records(
        data=settled,
        starts=lines.starts[firsts],
        ends=lines.ends[lasts],
        lines=firsts + first_line,
        is_blank=lines.is_blank[firsts] & (firsts == lasts),
        is_strict=lines.is_strict[firsts],
        is_complete=lines.is_complete[firsts],
        is_text=decodes(settled, lines.ends[lasts]),
        fields=lines.fields[firsts],
        rest=data[end:],
        rest_line=first_line + until,
    )


def decodes(data: bytes, ends: Places) -> Mask:
    """Whether each record's bytes are UTF-8."""
    is_text = np.ones(len(ends), np.bool_)
    if data.isascii():
        return is_text
    lost: list[int] = []

    def note(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        lost.append(error.start)
        return "", error.end

    codecs.register_error("shipcast-note", note)
    data.decode("utf-8", "shipcast-note")
    is_text[np.searchsorted(ends, np.array(lost, np.int64), side="right")] = False
    return is_text


def stretches(kind: pa.DataType, offsets: Places, data: bytes | NDArray[np.uint8]) -> pl.Series:
    """What lies between each two offsets as one text or binary value, not copied.

    It goes by way of a batch: from a single array polars imports all functions of pyarrow, which takes longer than to
    read a small file.
    """
    array = pa.Array.from_buffers(kind, len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pl.DataFrame(pl.from_arrow(pa.RecordBatch.from_arrays([array], ["value"])))["value"]
