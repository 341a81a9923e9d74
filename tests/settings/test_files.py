"""A file is there whole or not at all, and a sealed one says when a byte of it has changed."""

import random

import pytest

from shipcast.settings.files import read_sealed, write_sealed, write_whole


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "facts.json"
    write_sealed(path, {"pid": 4711, "since": "2024-05-01"})
    return path


def test_a_sealed_file_reads_back(sealed):
    assert read_sealed(sealed) == {"pid": 4711, "since": "2024-05-01"}


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_bit_breaks_the_seal(sealed, seed):
    draw = random.Random(seed)
    content = bytearray(sealed.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    sealed.write_bytes(content)

    with pytest.raises(ValueError):
        read_sealed(sealed)


def test_what_breaks_off_while_it_is_written_leaves_the_old_file_and_nothing_else(tmp_path):
    def lines():
        yield "new"
        raise OSError("the disk is full")

    path = tmp_path / "rows.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="full"):
        write_whole(path, lines())

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_nested_too_deeply_is_no_sealed_file(tmp_path):
    (tmp_path / "facts.json").write_text("[" * 100_000)

    with pytest.raises(ValueError, match="too deeply"):
        read_sealed(tmp_path / "facts.json")
