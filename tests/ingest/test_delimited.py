"""Reading delimited text: what Python's csv module reads in valid files, and row by row what is broken."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipcast.ingest import records, stream
from shipcast.ingest.delimited import read_delimited
from shipcast.ingest.sources import single_part

NAMES = ["service", "team", "tier"]
VALUES = st.text(alphabet=st.sampled_from('a"\n,;\t é\r|x'), max_size=8)


def fields(content):
    """The rows that can be taken apart: line number and fields; and the broken ones: line number and rule."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "services.csv"
        path.write_bytes(content)
        _, pieces = read_delimited(single_part(path))
        read = list(pieces)
    sound = [row for piece in read for row in piece.frame.select("_line", *NAMES).rows()]
    broken = [row for piece in read for row in piece.broken.select("_line", "rule").rows()]
    return sound, broken


def written(rows, delimiter, quoting, end):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([NAMES, *rows])
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.lists(VALUES, min_size=3, max_size=3), max_size=12),
    delimiter=st.sampled_from(",;\t"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@example(rows=[['"', "\n", '"\n"']], delimiter=",", quoting=csv.QUOTE_MINIMAL, end="\n")
@example(rows=[["", "", ""], ["a\r\nb", '""', ",\n,"]], delimiter=",", quoting=csv.QUOTE_ALL, end="\r\n")
def test_valid_text_is_read_as_pythons_csv_module_reads_it(rows, delimiter, quoting, end):
    # The module's writer leaves a carriage return unquoted where lines end otherwise; its reader then splits the row.
    rows = rows if end == "\r\n" else [[value.replace("\r", "") for value in row] for row in rows]
    text = written(rows, delimiter, quoting, end)
    expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)][1:]

    sound, broken = fields(text.encode())

    assert broken == []
    assert [tuple(value or "" for value in row[1:]) for row in sound] == expected


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=st.sampled_from('a",\n\ré'), max_size=80), chunk=st.integers(20, 60))
def test_of_any_text_every_line_is_in_one_row_wherever_chunks_are_cut(text, chunk):
    content = ("service,team,tier\n" + text).encode()
    usual = stream.CHUNK
    try:
        whole = sorted([*fields(content)[0], *fields(content)[1]])
        stream.CHUNK = chunk
        assert sorted([*fields(content)[0], *fields(content)[1]]) == whole
    finally:
        stream.CHUNK = usual
    firsts = {line for line, *_ in whole}
    assert len(firsts) == len(whole)
    assert all(
        number in firsts for number, line in enumerate(text.split("\n"), start=2) if line.strip() and '"' not in text
    )


def test_an_unclosed_quote_swallows_no_quoted_rows_behind_it():
    rows = [*(f'"s{number}","a ""b""","{number}\nx"' for number in range(2000)), '"open,team,1']
    rows.insert(5, '"s,"team,1')
    sound, broken = fields("\n".join(["service,team,tier", *rows, 'last,"t,t",1']).encode())

    assert len(sound) == 2001
    assert broken == [(12, "unterminated_quote"), (4003, "unterminated_quote")]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (b"a,b", "wrong_number_of_fields"),
        (b"a,b,c,d", "wrong_number_of_fields"),
        (b'"a","b,c"', "wrong_number_of_fields"),
        (b'"a"x,b,c', "unterminated_quote"),
        (b'a,"b,c', "unterminated_quote"),
        (b"a,\xff,c", "bytes_do_not_decode"),
        (b'a,"\xe9,",c', "bytes_do_not_decode"),
        (b"a,\xed\xa0\x80,c", "bytes_do_not_decode"),
    ],
)
@pytest.mark.parametrize("ends", [(b"first,1,1\n", b"\nlast,1,1\n"), (b'"first",1,1\r\n', b'\r\n"la\nst",1,1')])
def test_a_broken_row_is_quarantined_alone(row, rule, ends):
    before, after = ends
    sound, broken = fields(b"service,team,tier\n" + before + row + after)

    assert broken == [(3, rule)]
    assert [line for line, *_ in sound] == [2, 4]


def test_broken_rows_keep_their_text(desk):
    desk.load({"services.csv": b"service,team\npay,bl\xffue\nbuy, red ,x\n"})

    assert desk.rows("select row, rule, reason from raw._quarantine order by line") == [
        ("pay,bl\\xffue", "bytes_do_not_decode", r"services.csv:2: its bytes are not UTF-8 (kept as \xNN)"),
        ("buy, red ,x", "wrong_number_of_fields", "services.csv:3: 3 fields where the header has 2"),
    ]


def test_a_quote_within_an_unquoted_field_stands_for_itself():
    sound, broken = fields(b'service,team,tier\nwall,5" disk,x\n"a",b"c,""\n')

    assert broken == []
    assert sound == [(2, "wall", '5" disk', "x"), (3, "a", 'b"c', "")]


def test_a_header_may_be_quoted_and_span_lines():
    sound, _ = fields(b'"Service","team",tier,"and\nmore"\na,b,c,d\n')

    assert sound == [(3, "a", "b", "c")]


def test_a_quoted_field_longer_than_the_limit_is_taken_for_an_unclosed_one(monkeypatch):
    monkeypatch.setattr(records, "LONGEST_RECORD", 3)
    sound, broken = fields(b'service,team,tier\na,"1\n2\n3",x\nb,"1\n2\n3\n4",x\nc,d,e\n')

    assert [line for line, *_ in sound] == [2, 9]
    assert [line for line, _ in broken] == [5, 6, 7, 8]
