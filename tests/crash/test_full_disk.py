"""A disk that is full stops a load in words; what was there stays, and the load ends well once there is space."""

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
