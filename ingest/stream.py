"""A file's bytes as UTF-8 in whole lines, a chunk at a time, whatever it is packed or encoded in."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from shipcast.ingest.errors import FileRefused

CHUNK = 16 * 2**20
LONGEST_LINE = 2**26  # bytes
MOST_LINES = 2**19  # of a chunk, since every line costs memory, however short it is
BINARY = {
    b"PAR1": "a Parquet file; name it .parquet",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; save it as CSV",
    b"%PDF": "a PDF document; export the table as CSV",
    b"SQLite format 3": "a SQLite database; export the table as CSV",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it or use gzip",
    b"BZh": "packed with bzip2; unpack it or use gzip",
}


def whole_lines(path: Path, encoding: str | None = None) -> Iterator[bytes]:
    """The file as UTF-8 in chunks that end in a line feed, no line beginning with a byte order mark.

    Gzip is told by its first bytes. UTF-16 needs its byte order mark; one in the middle is where files were joined.
    Any other encoding has to be given. Bytes that don't decode are left as they are, for the rows they are in to be
    quarantined.

    Raises
    ------
    FileRefused
        The gzip stream is broken, or the file is no text at all.
    """
    rest = b""
    for block in utf8(blocks(path), encoding):
        end = block.rfind(b"\n") + 1
        if end:
            yield from portions(unmarked(rest + block[:end]))
            rest = block[end:]
        else:
            rest += block
        if len(rest) > LONGEST_LINE:
            raise FileRefused(f"holds a line longer than {LONGEST_LINE:,} bytes. Nothing was stored")
    if rest:
        yield unmarked(rest + b"\n")


def unmarked(lines: bytes) -> bytes:
    """The lines without a byte order mark at the beginning of any."""
    mark = codecs.BOM_UTF8
    return lines.removeprefix(mark).replace(b"\n" + mark, b"\n") if mark in lines else lines


def portions(lines: bytes) -> Iterator[bytes]:
    """The lines, not too many at a time: a few kilobytes of gzip may hold millions of empty ones."""
    if lines.count(b"\n") <= MOST_LINES:
        yield lines
        return
    ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n")) + 1
    start = 0
    for end in (*ends[MOST_LINES - 1 : -1 : MOST_LINES].tolist(), len(lines)):
        yield lines[start:end]
        start = end


def blocks(path: Path) -> Iterator[bytes]:
    """The bytes, unpacked."""
    with path.open("rb") as plain:
        start = plain.read(16)
        plain.seek(0)
        for magic, what in BINARY.items():
            if start.startswith(magic):
                raise FileRefused(f"is {what}. Nothing was stored")
        is_packed = start.startswith(b"\x1f\x8b") or path.name.lower().endswith(".gz")
        if is_packed:
            with gzip.GzipFile(fileobj=plain) as packed:
                yield from unpacked(packed)
        else:
            while block := plain.read(CHUNK):
                yield block


def unpacked(packed: gzip.GzipFile) -> Iterator[bytes]:
    done = 0
    try:
        while block := packed.read(CHUNK):
            done += len(block)
            yield block
    except EOFError as error:
        raise FileRefused(
            f"the gzip stream breaks off after {done:,} bytes. Nothing was stored; copy the file again"
        ) from error
    except gzip.BadGzipFile as error:
        what = "its checksum is wrong" if done else "is not gzip, whatever its name says, or its header is damaged"
        raise FileRefused(f"{what}. Nothing was stored; copy the file again") from error
    except (zlib.error, OSError) as error:
        raise FileRefused(
            f"the gzip stream is corrupt after {done:,} bytes. Nothing was stored; copy the file again"
        ) from error


def utf8(parts: Iterable[bytes], encoding: str | None = None) -> Iterator[bytes]:
    """The same text; UTF-16 is transcoded, and where no line feed ends a line, a carriage return does."""
    parts = iter(parts)
    first = next(parts, b"")
    parts = chained(first, parts)
    if encoding or first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        parts = transcoded(parts, encoding, "surrogateescape") if encoding else transcoded(parts)
        first = next(parts, b"")
        parts = chained(first, parts)
    is_old_mac = b"\r" in first and b"\n" not in first
    for block in parts:
        yield block.replace(b"\r", b"\n") if is_old_mac else block


def chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def transcoded(parts: Iterable[bytes], encoding: str = "utf-16", errors: str = "surrogatepass") -> Iterator[bytes]:
    """Text of an encoding in UTF-8.

    A lone surrogate, or a byte that is no letter, passes as bytes that are no UTF-8, so that its row is quarantined and
    not the file.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    try:
        for block in parts:
            yield decoder.decode(block).encode("utf-8", "surrogatepass")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        raise FileRefused(
            f"the {encoding.upper()} text breaks off within a character. Nothing was stored; copy the file again"
        ) from error
