"""A disk that is full stops a command in words; what was there stays, and the command ends well once there is space."""

import json

import ordeal
import pytest


@pytest.mark.parametrize("share", [0.05, 1])
def test_a_load_that_finds_no_space(few, more, exports, copied, share):
    """No file may outgrow a share of what the work database has already."""
    verb = ["ingest", "files", str(exports[1] / "deployments.csv")]
    home = copied(few)
    size = int((home / "work.duckdb").stat().st_size * share)

    full = ordeal.run(home, *verb, wrapper=ordeal.limited(size))

    assert full.returncode == 7, full.stderr
    assert "no space left" in full.stderr
    assert "MiB free" in full.stderr
    assert ordeal.stored(home) in (ordeal.stored(few), ordeal.stored(more))
    assert ordeal.run(home, *verb).returncode == 0
    assert ordeal.stored(home) == ordeal.stored(more)


def test_a_build_that_finds_no_space_changes_no_answer(before, after, copied):
    home = copied(before)

    full = ordeal.run(home, "run", "--json", wrapper=ordeal.limited(4_000_000))

    assert full.returncode == 7, full.stderr
    assert "no space left" in json.loads(full.stdout)["detail"]
    assert ordeal.metrics(home) == ordeal.metrics(before)
    assert ordeal.run(home).returncode == 0
    assert ordeal.published(home) == ordeal.published(after)
