"""The doctor on models: what keeps the champion from answering, and who may change what runs, with what mends it."""

import shutil
from datetime import timedelta

import pytest
from company import CUT, instant

from shipcast.__main__ import run
from shipcast.answers.doctor import doctor
from shipcast.answers.model_findings import changeable
from shipcast.features.own import enter_files
from shipcast.settings import load_settings
from shipcast.settings.files import read_sealed, write_sealed

NIGHTS = """
import shipcast

@shipcast.feature("yes/no", "always")
def at_night(rows, past):
    '''Whether it starts between midnight and six.'''
    return rows["hour_of_week"] % 24 < 6
"""


@pytest.fixture
def home(trained_home, tmp_path):
    """A copy of the trained home, which may be damaged; nobody else may write it."""
    copy = tmp_path / "home"
    shutil.copytree(trained_home.home, copy)
    copy.chmod(0o700)
    yield copy
    enter_files(())


def found(home, at=CUT):
    """What the doctor finds of models and code: subject, state, finding and remedy."""
    answer = doctor(load_settings({"home": str(home)}, {}), at)
    told = [item for item in answer.items if item.subject in ("model", "features", "quality")]
    return [(item.subject, item.state, item.finding, item.remedy) for item in told], answer.exit_code


def test_a_model_that_answers_is_well(home):
    [[subject, state, finding, remedy]], code = found(home)

    assert (subject, state, remedy, code) == ("model", "good", None, 0)
    assert finding.startswith("version 1 (regression) serves")


def test_an_old_one_is_stale_to_the_day(home):
    states = [found(home, CUT + timedelta(days=days))[0][0][1::2] for days in (27, 28)]

    assert states == [("good", None), ("stale", "shipcast train --promote, or shipcast run")]


def test_none_that_had_learned_by_then_is_missing(home):
    [[subject, state, _, remedy]], _ = found(home, CUT - timedelta(days=1))

    assert (subject, state, remedy) == ("model", "missing", "shipcast train")


def test_where_nothing_has_settled_no_model_is_missed(built_once):
    assert found(built_once("empty", {}).home) == ([], 0)


def pointer(home):
    return home / "models" / "champions.json"


def of_a_later_version(home):
    write_sealed(pointer(home), {**read_sealed(pointer(home)), "layout": 99})


@pytest.mark.parametrize(
    ("damage", "words", "remedy"),
    [
        (lambda home: pointer(home).write_text("{}"), "is damaged", "shipcast train"),
        (lambda home: pointer(home).unlink(), "champions.json is missing: it says which", "shipcast doctor --repair"),
        (of_a_later_version, "a later version", "Use that version"),
        (lambda home: next(home.glob("models/**/model.npz")).unlink(), "is missing", "shipcast train --rollback"),
        (lambda home: next(home.glob("models/**/model.npz")).write_bytes(b"no"), "2 bytes", "shipcast train"),
    ],
)
def test_one_that_cannot_be_read_is_broken(home, damage, words, remedy):
    damage(home)
    [[subject, state, finding, how]], code = found(home)

    assert (subject, state, code) == ("model", "broken", 7)
    assert words in finding
    assert remedy in how


def test_a_lost_list_is_repaired_and_the_same_model_serves(home, capsys):
    before = found(home)
    pointer(home).unlink()

    code = run(["--home", str(home), "--as-of", instant(CUT), "doctor", "--repair"])

    assert code == 0
    assert "made version 1 (regression) champion again" in " ".join(capsys.readouterr().out.split())
    assert found(home) == before


KEPT = ["forecasts.parquet", "reference.json", "hours.json", "card.md", "scores.json"]


@pytest.mark.parametrize("name", KEPT)
def test_what_was_kept_with_it_is_missed(home, name):
    next(home.glob(f"models/**/{name}")).unlink()
    [_, [subject, state, finding, remedy]], code = found(home)

    assert (subject, state, remedy, code) == ("quality", "missing", "shipcast train --promote", 0)
    assert name in finding


@pytest.mark.parametrize("name", KEPT)
def test_what_was_kept_with_it_and_altered_is_broken(home, name):
    with next(home.glob(f"models/**/{name}")).open("ab") as file:
        file.write(b" ")
    [_, [subject, state, finding, remedy]], code = found(home)

    assert (subject, state, remedy, code) == ("quality", "broken", "shipcast train --promote", 7)
    assert finding.startswith(f"{name}, kept with version 1 of the failure model, is not the file that was recorded")


def with_features(home, code):
    (home / "nights.py").write_text(code)
    (home / "shipcast.toml").write_text('features = ["nights.py"]\n')
    for name in ("nights.py", "shipcast.toml"):
        (home / name).chmod(0o600)


def test_features_that_break_off_or_are_gone_are_named(home):
    with_features(home, "1 / 0")
    broken, _ = found(home)
    (home / "nights.py").unlink()
    gone, _ = found(home)

    assert broken[0][:2] == ("features", "broken")
    assert "ZeroDivisionError" in broken[0][2]
    assert gone[0][:2] == ("features", "missing")


@pytest.mark.parametrize("name", ["nights.py", "shipcast.toml", "."])
def test_code_that_others_may_change_is_unsafe(home, name):
    with_features(home, NIGHTS)
    safe, _ = found(home)
    (home / name).chmod(0o702)
    unsafe, code = found(home)

    assert [one[0] for one in safe] == ["model"]
    assert {one[:2] for one in unsafe} == {("features", "unsafe"), ("model", "good")}
    assert str((home / name).resolve()) in unsafe[0][2]
    assert code == 0


def test_what_others_may_change_the_doctor_does_not_run(home):
    with_features(home, "open(__file__ + '.ran', 'w').close()")
    found(home)
    ran = (home / "nights.py.ran").exists()
    (home / "nights.py.ran").unlink()
    (home / "nights.py").chmod(0o606)
    found(home)

    assert (ran, (home / "nights.py.ran").exists()) == (True, False)


def test_a_group_of_ones_own_and_a_sticky_folder_are_safe(tmp_path):
    file = tmp_path / "file.py"
    file.touch()
    file.chmod(0o660)
    tmp_path.chmod(0o1777)
    is_own = file.group() == file.owner()

    assert changeable(file) == (None if is_own else file)
    file.chmod(0o600)
    assert changeable(file) is None
    assert changeable(tmp_path / "gone.py") is None
