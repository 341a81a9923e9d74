"""Whatever becomes of the file, verification names the first entry that is not as it was written."""

import hashlib
import json
import resource
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import approval, booking, chained, freeze, reservation, undo

from shipcast.scheduling.ledger.chain import (
    HEAD_FILE,
    LEDGER_FILE,
    Chain,
    Head,
    append,
    read_chain,
    verified,
)
from shipcast.settings.files import write_sealed
from shipcast.warehouse.errors import OutOfSpace

RECORDS = chained(
    booking("pay", "09:00", "10:00", purpose="hotfix"),
    freeze(reason="the auditors are here"),
    approval(rule="audit"),
    reservation("09:00", "12:00", team="perf"),
    booking("café ☕", "09:00", "10:00"),
    undo(1),
)
LINES = [record.line[:-1] for record in RECORDS]
WHOLE = b"".join(record.line for record in RECORDS)
HEAD = Head(len(RECORDS), RECORDS[-1].hash)
PLACES = st.integers(0, len(LINES) - 1)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(str.encode)


def test_what_was_written_is_as_it_was_written():
    assert verified(WHOLE, HEAD) == Chain(tuple(RECORDS), None, len(WHOLE), 0, len(RECORDS))


def first_difference(lines):
    """The number of the first entry that the file does not hold any more."""
    pairs = zip(lines, LINES, strict=False)
    return next((n for n, (one, other) in enumerate(pairs, start=1) if one != other), min(len(lines), len(LINES)) + 1)


def joined(lines):
    return b"".join(line + b"\n" for line in lines)


def deleted(lines, place, other, text):
    return joined(lines[:place] + lines[max(place, other) + 1 :])


def swapped(lines, place, other, text):
    lines[place], lines[other] = lines[other], lines[place]
    return joined(lines)


def repeated(lines, place, other, text):
    return joined([*lines[:place], lines[other], *lines[place:]])


def inserted(lines, place, other, text):
    return joined([*lines[:place], text, *lines[place:]])


def appended(lines, place, other, text):
    return joined([*lines, text])


def spaced(lines, place, other, text):
    return joined([*lines[:place], lines[place].replace(b":", b": ", 1), *lines[place + 1 :]])


@settings(deadline=None)
@given(
    st.sampled_from([deleted, swapped, repeated, inserted, appended, spaced]), PLACES, PLACES, TEXT,
)  # fmt: skip
def test_lines_that_were_moved_added_or_taken_away_are_found(change, place, other, text):
    content = change([*LINES], place, other, text)
    chain = verified(content, HEAD)

    if content == WHOLE:
        assert chain.fault is None
        return
    assert chain.fault.number == first_difference(content.split(b"\n")[:-1])
    assert chain.records == tuple(RECORDS[: chain.fault.number - 1])


@settings(deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_changed_byte_is_found(place, byte):
    content = bytearray(WHOLE)
    content[place] = byte
    chain = verified(bytes(content), HEAD)

    assert (chain.fault is None) == (content == WHOLE)
    if chain.fault:
        assert chain.fault.number == WHOLE[:place].count(b"\n") + 1


@settings(deadline=None)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_tail_that_is_cut_off_is_found(length):
    fault = verified(WHOLE[:length], HEAD).fault

    assert (fault.number, fault.what) == (WHOLE[:length].count(b"\n") + 1, "cut off")


def with_hash(text):
    """A line whose hash fits."""
    return text[:-1] + f',"hash":"{hashlib.sha256(text).hexdigest()}"}}'.encode()


@settings(deadline=None)
@given(PLACES, st.sampled_from(["who", "recorded_at", "kind", "account"]))
def test_an_entry_that_was_changed_with_its_hash_is_found_by_the_next_or_by_the_head(place, key):
    content = {**json.loads(LINES[place]), key: "mallory"}
    content.pop("hash")
    forged = with_hash(json.dumps(content).encode())
    fault = verified(joined([*LINES[:place], forged, *LINES[place + 1 :]]), HEAD).fault

    is_last = place == len(LINES) - 1
    assert fault.number == (place + 1 if is_last else place + 2)
    assert fault.what == ("changed" if is_last else "not following")


def test_a_chain_that_was_rewritten_from_an_entry_on_is_found_by_the_head():
    fault = verified(
        joined([record.line[:-1] for record in chained(*[booking("web", "09:00", "10:00")] * 6)]), HEAD
    ).fault

    assert (fault.number, fault.what) == (6, "changed")


WRONG_HEADS = [
    (None, "head", None),
    (Head(7, RECORDS[-1].hash), "cut off", 7),
    (Head(6, RECORDS[0].hash), "changed", 6),
    (Head(), None, None),
    (Head(5, RECORDS[4].hash), None, None),
]


@pytest.mark.parametrize(("head", "what", "number"), WRONG_HEADS)
def test_a_head_may_be_behind_and_nothing_else(head, what, number):
    fault = verified(WHOLE, head).fault

    assert (fault and fault.what, fault and fault.number) == (what, number)


@pytest.mark.parametrize("content", ["", "{}", '{"count": 6, "hash": "0", "seal": "1"}', "[" * 100_000])
def test_a_damaged_head_is_found(tmp_path, content):
    (tmp_path / LEDGER_FILE).write_bytes(WHOLE)
    (tmp_path / HEAD_FILE).write_text(content)

    assert read_chain(tmp_path).fault.what == "head"


NUMBERED = json.dumps({**json.loads(LINES[0]), "number": True}, separators=(",", ":")).encode()
NO_ENTRIES = [b"}", b"{}", b"\xff}", b"[" * 100_000 + b"}", b'{"number":1}', NUMBERED]


@pytest.mark.parametrize("line", [b"", b"7", *NO_ENTRIES[:-1], *map(with_hash, NO_ENTRIES)], ids=lambda text: text[:20])
def test_a_line_that_is_no_entry_is_unreadable(line):
    fault = verified(line + b"\n", Head()).fault

    assert (fault.number, fault.what) == (1, "unreadable")


def test_anybody_can_compute_the_hash_of_a_line():
    """As docs/bookings.md says."""
    for line in LINES:
        text, own = line[: -len(',"hash":""}') - 64] + b"}", json.loads(line)["hash"]
        assert hashlib.sha256(text).hexdigest() == own


def test_an_entry_that_was_not_finished_is_none_and_the_next_takes_its_place(tmp_path):
    """A crash may leave any part of a line, and that of a page that was never written is zeros."""
    path, before, last = tmp_path / LEDGER_FILE, WHOLE[: -len(RECORDS[-1].line)], RECORDS[-1]
    lefts = [*(last.line[:length] for length in range(0, len(last.line), 37)), b"\0" * 90 + last.line[90:], b"\0\n\0"]
    for left in lefts:
        path.write_bytes(before + left)
        write_sealed(tmp_path / HEAD_FILE, asdict(Head(5, RECORDS[4].hash)))
        chain = read_chain(tmp_path)

        assert (chain.records, chain.fault, chain.unfinished) == (tuple(RECORDS[:-1]), None, len(left))

        append(tmp_path, chain, last)

        assert path.read_bytes() == WHOLE
        assert read_chain(tmp_path).fault is None


def test_an_entry_that_the_head_does_not_count_yet_counts(tmp_path):
    (tmp_path / LEDGER_FILE).write_bytes(WHOLE)
    write_sealed(tmp_path / HEAD_FILE, asdict(Head(5, RECORDS[4].hash)))

    assert read_chain(tmp_path).head == HEAD


def test_a_first_entry_makes_the_file_and_its_head(tmp_path):
    append(tmp_path, read_chain(tmp_path), RECORDS[0])

    assert read_chain(tmp_path).records == (RECORDS[0],)
    (tmp_path / LEDGER_FILE).unlink()
    assert read_chain(tmp_path).fault.what == "cut off"


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_disk_that_is_full_leaves_the_ledger_as_it_was(tmp_path, room):
    for number in range(5):
        append(tmp_path, read_chain(tmp_path), RECORDS[number])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before[LEDGER_FILE]) + room, limits[1]))
    try:
        with pytest.raises(OutOfSpace, match="no space left"):
            append(tmp_path, read_chain(tmp_path), replace(RECORDS[5]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    append(tmp_path, read_chain(tmp_path), RECORDS[5])
    assert (tmp_path / LEDGER_FILE).read_bytes() == WHOLE
