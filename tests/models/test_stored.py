"""Model files: what is read answers like what was written, equal models are equal bytes, nothing in them can run."""

import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipcast.models.errors import ModelDamaged
from shipcast.models.failure import FailureModel
from shipcast.models.stored import read_state, write_state

LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5)
TREES = st.dictionaries(
    st.text(st.characters(categories=["L"]), min_size=1, max_size=5),
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    max_size=4,
)


@settings(deadline=None, max_examples=40)
@given(TREES, st.lists(st.floats(allow_nan=False), max_size=4))
def test_what_was_written_is_read(tmp_path_factory, tree, values):
    path = tmp_path_factory.mktemp("states") / "model"
    write_state(path, {**tree, "values_": np.array(values), "more": {"b": [np.arange(3)]}})
    found = read_state(path)

    assert np.array_equal(found.pop("values_"), values)
    assert np.array_equal(found.pop("more")["b"][0], [0, 1, 2])
    assert found == tree


def rows(count, services=("pay", "web", "new")):
    rng = np.random.default_rng(1)
    start = np.datetime64("2025-01-01T00:00", "us") + rng.integers(0, 300 * 24, count) * np.timedelta64(1, "h")
    return pl.DataFrame(
        {
            "deployment_id": [f"d{k}" for k in range(count)],
            "service": rng.choice(services, count),
            "team": rng.choice(["a", "b"], count),
            "change_type": rng.choice(["normal", "standard"], count),
            "started_at": start,
            "hour_of_week": rng.integers(0, 168, count),
            "lines": rng.lognormal(4, 1, count),
            "is_failed": rng.random(count) < 0.1,
        }
    )


@pytest.fixture(scope="module")
def model():
    from shipcast.features.feature import chosen

    return FailureModel(chosen("lines")).fit(rows(400))


def test_a_model_that_was_read_answers_to_the_last_digit(model, tmp_path):
    write_state(tmp_path / "model", model.state())
    again = FailureModel.from_state(read_state(tmp_path / "model"))
    asked = rows(40, ("pay", "web", "unseen"))

    assert np.array_equal(again.draws(asked, is_request=True), model.draws(asked, is_request=True))
    assert again.describe() == model.describe()


def test_equal_models_are_equal_bytes(model, tmp_path):
    for name in ("one", "two"):
        write_state(tmp_path / name, model.state())

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_planted_pickle_never_runs(tmp_path):
    trap = Trap(str(tmp_path / "sprung"))
    (tmp_path / "plain").write_bytes(pickle.dumps(trap))
    np.savez(tmp_path / "inside.npz", facts=np.array([trap], dtype=object))

    for name in ("plain", "inside.npz"):
        with pytest.raises(ModelDamaged, match="not a model file"):
            read_state(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"{}", b"\x93NUMPY"])
def test_what_is_no_model_is_said_in_words(tmp_path, content):
    (tmp_path / "model").write_bytes(content)

    with pytest.raises(ModelDamaged, match="not a model file"):
        read_state(tmp_path / "model")
