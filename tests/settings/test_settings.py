"""Settings: precedence, and errors that say where and which."""

from pathlib import Path

import pytest

from shipcast.settings import Settings, load_settings
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.template import CHANNELS, SOURCES, template, write_template


@pytest.fixture
def home(tmp_path):
    (tmp_path / "shipcast.toml").write_text('tz = "Asia/Tokyo"\nsettle_days = 7\nholds = "block"\n')
    return tmp_path


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(home):
    environ = {"SHIPCAST_TZ": "Europe/Paris", "SHIPCAST_SETTLE_DAYS": "3"}

    settings = load_settings({"home": home, "tz": "America/New_York"}, environ)

    assert (settings.tz, settings.settle_days, settings.holds, settings.keep_snapshots) == (
        "America/New_York",
        3,
        "block",
        3,
    )


def test_a_flag_that_was_not_given_counts_for_nothing(home):
    assert load_settings({"home": home, "tz": None}, {}).tz == "Asia/Tokyo"


def test_the_home_may_come_from_a_variable_and_brings_its_file(home):
    assert load_settings({}, {"SHIPCAST_HOME": str(home)}).tz == "Asia/Tokyo"


def test_without_a_file_in_the_home_the_current_folders_counts(home, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(home)

    assert load_settings({"home": tmp_path_factory.mktemp("other")}, {}).tz == "Asia/Tokyo"


def test_names_in_a_variable_are_separated_by_commas():
    settings = load_settings({}, {"SHIPCAST_PRODUCTION_ENVIRONMENTS": "eu-live, us-live"})

    assert settings.production_environments == ("eu-live", "us-live")


def test_a_relative_source_lies_beside_the_file_that_names_it(home):
    (home / "shipcast.toml").write_text('[[sources]]\npath = "exports"\n')

    assert load_settings({"home": home}, {}).sources[0].path == home / "exports"


def test_a_relative_file_of_features_lies_beside_the_file_that_names_it(home):
    (home / "shipcast.toml").write_text('features = ["habits.py"]\n')

    assert load_settings({"home": home}, {}).features == (home / "habits.py",)
    assert load_settings({"home": home}, {"SHIPCAST_FEATURES": "a.py, b.py"}).features == (Path("a.py"), Path("b.py"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("features = 3", ["features", "3"]),
        ("settle_day = 3", ["settle_day", "Did you mean settle_days?"]),
        ('tz = "Mars/Olympus"', ["shipcast.toml: tz", "Mars/Olympus", "Europe/London"]),
        ("settle_days = -1", ["settle_days", "-1"]),
        ("settle_days = nan", ["settle_days", "nan"]),
        ('attribution = "guess"', ["attribution", "guess"]),
        ("keep_snapshots = 0", ["keep_snapshots", "0"]),
        ('memory_limit = "lots"', ["memory_limit", "lots", "4 GiB"]),
        ("threads = -1", ["threads", "-1"]),
        ("sources = 3", ["sources", "3"]),
        ('[[sources]]\nkind = "gitops"\npath = "x"', ["entry 1", "gitops", "template"]),
        ('[[sources]]\npath = "x"\n[[sources]]\nkind = "git"\npath = "x"\nrelease = "tags"', ["entry 2", "releases"]),
        ('[[sources]]\nkind = "gti"\npath = "x"', ["entry 1", "kind", "gitops"]),
        ("tz = [", ["shipcast.toml"]),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path, content, words):
    (tmp_path / "shipcast.toml").write_text(content)

    with pytest.raises(ConfigurationError) as caught:
        load_settings({"home": tmp_path}, {})

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_what_is_wrong_in_a_variable_is_named_by_its_variable():
    with pytest.raises(ConfigurationError, match="SHIPCAST_SETTLE_DAYS"):
        load_settings({}, {"SHIPCAST_SETTLE_DAYS": "soon"})


def test_the_template_gives_the_defaults_as_it_is_and_with_every_line_switched_on(tmp_path):
    path = tmp_path / "shipcast.toml"

    write_template(path)
    assert load_settings({"home": tmp_path}, {}) == Settings(home=tmp_path)

    settings = template().replace(SOURCES, "").replace(CHANNELS, "")
    switched_on = [line.removeprefix("# ") for line in settings.splitlines() if " = " in line]
    path.write_text("\n".join(switched_on))
    assert load_settings({"home": tmp_path}, {}) == Settings(home=tmp_path)
    assert len(switched_on) == len(Settings.model_fields) - 3  # the home, the sources, and the channels

    path.write_text("\n".join(line.removeprefix("#") for line in (SOURCES + CHANNELS).splitlines()))
    found = load_settings({"home": tmp_path}, {})
    assert [source.kind for source in found.sources] == ["files", "gitops", "git"]
    assert [channel.kind for channel in found.notify] == ["slack"]


def test_the_template_never_overwrites(tmp_path):
    path = tmp_path / "shipcast.toml"
    path.write_text("settle_days = 3")

    assert write_template(path) is False
    assert path.read_text() == "settle_days = 3"


def test_the_home_is_absolute_whatever_was_typed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert load_settings({"home": Path("here")}, {}).home == tmp_path / "here"
