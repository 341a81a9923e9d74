"""The registry: what is promoted serves, what is damaged does not, and a kill leaves the one champion or the other."""

import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shipcast.models.errors import ModelDamaged, ModelMissing, NewerModel, OlderModel, StoreUnusable
from shipcast.models.recorded import KEPT
from shipcast.models.registry import FORMAT, LAYOUT, Champion, Facts, Registry, champion, checked, promoted
from shipcast.models.tracking import STORE
from shipcast.settings.files import read_sealed, write_sealed

day = datetime.fromisoformat
TODAY = day("2025-06-01")

# Makes the home of these tests in a process with nothing but its own folders: three models, two of them promoted.
TRAINED = """
import sys
calls = []
sys.addaudithook(lambda event, _: calls.append(event) if event in ("socket.connect", "socket.getaddrinfo") else None)

from datetime import datetime
from pathlib import Path
from shipcast.models.registry import Facts, Registry

home, registry = Path(sys.argv[1]), Registry(Path(sys.argv[1]))
for month in (1, 2, 3):
    file, card = Path(sys.argv[2]) / "model.bin", Path(sys.argv[2]) / "card.md"
    file.write_bytes(bytes([month]) * 1000)
    card.write_text(f"month {month}")
    facts = Facts(
        "failure", "boosted", {"depth": month}, {"log_loss": month / 100}, datetime(2025, month, 1), f"data {month}",
        artefacts=(card,),
    )
    version = registry.record(file, facts)
    if month < 3:
        registry.promote(version)

import mlflow.telemetry
print(*calls, mlflow.telemetry.get_telemetry_client())
"""

# For every line `number verb home` a child records, or promotes the newest version, and dies at that step: before a
# sync, a rename, or a commit that changes something. 0: it lives, and tells the number of its steps.
SERVER = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
import mlflow
from shipcast.models.registry import Facts, Registry

seen = number = 0
server = os.getpid()

def step():
    global seen
    seen += os.getpid() != server
    if 0 < seen == number:
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(act):
    return lambda *arguments, **named: (step(), act(*arguments, **named))[1]

os.fsync, os.replace, os.rename = map(stepping, (os.fsync, os.replace, os.rename))
event.listen(Engine, "commit", lambda made: step() if made.connection.dbapi_connection.total_changes else None)

def act(verb, home):
    registry = Registry(home)
    if verb == "record":
        facts = Facts("failure", "boosted", {"depth": 4}, {"log_loss": 0.04}, datetime(2025, 4, 1), "data 4")
        registry.record(home / "input.bin", facts)
    else:
        registry.promote(registry.versions()[0])

for line in sys.stdin:
    number, verb, home = line.rstrip().split(" ", 2)
    number = int(number)
    Registry(Path(home)).store  # MLflow keeps what it opened for the children
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        act(verb, Path(home))
        os.write(writer, str(seen).encode())
        os._exit(0)
    os.close(writer)
    status = os.waitpid(child, 0)[1]
    print(os.waitstatus_to_exitcode(status), os.read(reader, 20).decode() or 0, flush=True)
    os.close(reader)
"""


KNOWN = """
import sys
from pathlib import Path
from shipcast.models.registry import Registry
print([(each.number, each.alias) for each in Registry(Path(sys.argv[1])).versions()], "mlflow" in sys.modules)
"""


@pytest.fixture(scope="session")
def apart(tmp_path_factory):
    """A folder with a home whose models were trained by a process that could write nowhere but in it."""
    folder = tmp_path_factory.mktemp("apart")
    for name in ("user", "cwd", "tmp", "input", "home/models"):
        (folder / name).mkdir(parents=True)
    (folder / "home" / "models" / f".{STORE}.0.unfinished").write_bytes(b"left by a kill")
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder / "user"), "TMPDIR": str(folder / "tmp")}
    result = subprocess.run(
        [sys.executable, "-P", "-c", TRAINED, str(folder / "home"), str(folder / "input")],
        cwd=folder / "cwd", env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    (folder / "stdout").write_text(result.stdout)
    (folder / "stderr").write_text(result.stderr)
    return folder


@pytest.fixture
def home(apart, tmp_path):
    """A copy of that home: versions 1 and 2 were promoted, 3 is the challenger."""
    return shutil.copytree(apart / "home", tmp_path / "home")


@pytest.fixture
def registry(home):
    return Registry(home)


@pytest.fixture
def record(registry, tmp_path):
    """A function that records a model of that month."""

    def recorded(month=4, kind="failure", content=b"model", **facts):
        file = tmp_path / "model.bin"
        file.write_bytes(content)
        return registry.record(file, Facts(kind, "boosted", {}, {}, day(f"2025-{month:02}-01"), "data", **facts))

    return recorded


@pytest.fixture(scope="module")
def killer():
    """A function that records or promotes in a home and dies at the step of that number.

    It gives the exit code, negative for a kill, and the number of steps where it lived.
    """
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def act(home, verb, number):
        server.stdin.write(f"{number} {verb} {home}\n")
        server.stdin.flush()
        code, steps = server.stdout.readline().split()
        return int(code), int(steps)

    yield act
    server.stdin.close()
    server.wait()
    server.stdout.close()


def numbers(versions):
    return [(version.number, version.alias) for version in versions]


def files(home):
    """The ids of the runs that have files."""
    return {path.name for path in (home / "models" / "artifacts").iterdir()}


def pointer(home):
    return home / "models" / "champions.json"


def test_it_says_nothing_calls_nobody_and_writes_nothing_outside_the_home(apart):
    assert (apart / "stderr").read_text() == ""
    assert (apart / "stdout").read_text() == "None\n"
    assert [path for name in ("user", "cwd", "tmp") for path in (apart / name).iterdir()] == []
    assert {path.name for path in (apart / "home").iterdir()} == {"models"}
    assert {path.name for path in (apart / "home" / "models").iterdir()} == {"artifacts", "champions.json", STORE}


def test_versions_come_newest_first_with_what_was_recorded(registry):
    newest, *older = registry.versions()

    assert numbers([newest, *older]) == [(3, "challenger"), (2, "champion"), (1, None)]
    assert (newest.kind, newest.recipe, newest.format, newest.size) == ("failure", "boosted", FORMAT, 1000)
    assert (newest.cut_off, newest.fingerprint) == (day("2025-03-01"), "data 3")
    assert (newest.parameters, newest.metrics) == ({"depth": "3"}, {"log_loss": 0.03})
    assert newest.written_by.startswith("shipcast ")
    assert abs(newest.recorded_at - datetime.now(UTC).replace(tzinfo=None)).total_seconds() < 3600


def test_further_files_lie_beside_the_model(home, registry):
    run_id = registry.versions()[0].run_id

    assert (home / "models" / "artifacts" / run_id / "artifacts" / "card.md").read_text() == "month 3"


@pytest.mark.parametrize(
    ("at", "version"),
    [
        (day("2024-12-31"), None),
        (day("2025-01-01"), 1),
        (day("2025-01-31"), 1),
        (day("2025-02-01"), 2),
        (TODAY, 2),
    ],
)
def test_a_question_is_answered_by_no_model_that_learned_from_later_data(home, at, version):
    entry = champion(home, at)

    assert (entry and entry.version) == version


def test_of_models_that_may_answer_the_last_promoted_does_whatever_its_cut_off(home, registry, record):
    registry.promote(record(month=1))

    assert champion(home, TODAY).version == 4
    assert champion(home, day("2025-02-15")).version == 4


def test_an_untouched_home_has_no_champion_and_stays_untouched(tmp_path):
    assert champion(tmp_path, TODAY) is None
    assert Registry(tmp_path).versions() == []
    with pytest.raises(ModelMissing, match="there has been no champion"):
        Registry(tmp_path).rollback()

    assert list(tmp_path.iterdir()) == []


def test_a_champion_that_is_as_recorded_gives_its_file(home):
    path = checked(home, champion(home, TODAY))

    assert path.read_bytes() == bytes([2]) * 1000
    assert path.is_relative_to(home)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = [
    (Path.unlink, ModelMissing, "missing"),
    (truncate, ModelDamaged, "999 bytes instead of 1,000"),
    (flip, ModelDamaged, "SHA-256"),
    (replace_by_a_folder, ModelDamaged, "bytes|directory"),
]


@pytest.mark.parametrize(("damage", "error", "words"), DAMAGES)
def test_a_damaged_model_file_is_refused_in_words(home, damage, error, words):
    entry = champion(home, TODAY)
    damage(home / entry.path)

    with pytest.raises(error, match=words) as raised:
        checked(home, entry)

    assert raised.value.exit_code == 8
    assert str(home / entry.path) in raised.value.detail
    assert "version 2 of the failure model" in raised.value.detail
    assert "`shipcast train`" in raised.value.next_step
    assert "shipcast train --rollback" in raised.value.next_step


def test_a_model_of_a_later_format_is_refused(home):
    entry = replace(champion(home, TODAY), format=FORMAT + 1)

    with pytest.raises(NewerModel, match=f"format {FORMAT + 1}; this version reads up to {FORMAT}") as raised:
        checked(home, entry)

    assert raised.value.exit_code == 8


def test_a_model_of_an_earlier_format_is_refused_and_another_must_be_trained(home):
    entry = replace(champion(home, TODAY), format=FORMAT - 1)

    with pytest.raises(OlderModel, match=f"format {FORMAT - 1}; this version reads {FORMAT} alone") as raised:
        checked(home, entry)

    assert raised.value.exit_code == 8
    assert "`shipcast train`" in raised.value.next_step


LOSSES = [
    (truncate, ModelDamaged, "is damaged"),
    (flip, ModelDamaged, "is damaged"),
    (lambda path: path.write_bytes(b"\xff"), ModelDamaged, "is damaged"),
    (Path.unlink, ModelMissing, "is missing: it says which of the models that lie beside it serves"),
]


@pytest.mark.parametrize(("damage", "error", "words"), LOSSES)
def test_a_list_of_champions_that_cannot_be_read_is_refused_until_another_model_is_promoted(
    home, registry, record, damage, error, words
):
    damage(pointer(home))

    for ask in (lambda: champion(home, TODAY), registry.rollback, lambda: registry.prune(1)):
        with pytest.raises(error, match=words) as raised:
            ask()
        assert raised.value.exit_code == 8
        assert "shipcast train" in raised.value.next_step
    registry.promote(record())

    assert champion(home, TODAY).version == 4
    assert len(registry.versions()) == 4


@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_a_list_that_cannot_be_read_is_rebuilt_from_what_mlflow_says(home, registry, record, damage):
    registry.promote(record(kind="restore"))
    before = {kind: champion(home, TODAY, kind) for kind in ("failure", "restore")}
    damage(pointer(home))

    registry.rebuild()

    for kind, entry in before.items():
        assert replace(champion(home, TODAY, kind), promoted_at=entry.promoted_at) == entry
    assert champion(home, day("2025-01-15")) is None
    assert registry.rebuild() == []


def test_a_list_that_mlflow_knows_nothing_of_stays_lost(home, registry):
    pointer(home).unlink()
    (home / "models" / STORE).unlink()

    assert registry.rebuild() == []
    assert not (home / "models" / STORE).exists()
    assert not pointer(home).exists()


def test_a_list_that_names_a_damaged_model_is_not_rebuilt(home, registry):
    flip(home / champion(home, TODAY).path)
    pointer(home).unlink()

    with pytest.raises(ModelDamaged, match="version 2"):
        registry.rebuild()
    assert not pointer(home).exists()


def test_a_home_whose_first_training_was_killed_has_lost_no_list(registry, with_store, tmp_path):
    other = with_store(tmp_path / "other")
    file = tmp_path / "model.bin"
    file.write_bytes(b"model")
    Registry(other).record(file, Facts("failure", "boosted", {}, {}, day("2025-04-01"), "data"))

    assert champion(other, TODAY) is None


def test_a_list_that_a_later_version_wrote_is_left_as_it_is(home, registry):
    write_sealed(pointer(home), {**read_sealed(pointer(home)), "layout": LAYOUT + 1})
    written = pointer(home).read_bytes()

    for ask in (lambda: champion(home, TODAY), lambda: registry.promote(registry.versions()[0]), registry.rollback):
        with pytest.raises(NewerModel, match="later version"):
            ask()

    assert pointer(home).read_bytes() == written


@pytest.mark.parametrize(("damage", "error", "words"), DAMAGES)
def test_a_damaged_challenger_is_not_promoted_and_the_champion_goes_on(home, registry, damage, error, words):
    challenger, before = registry.versions()[0], champion(home, TODAY)
    damage(home / challenger.path)

    with pytest.raises(error, match=words) as raised:
        registry.promote(challenger)

    assert raised.value.exit_code == 8
    assert "The champion stays as it was" in raised.value.next_step
    assert champion(home, TODAY) == before
    assert checked(home, before)


def test_a_challenger_that_is_promoted_is_champion_here_and_in_mlflow(home, registry):
    registry.promote(registry.versions()[0])

    assert champion(home, TODAY).version == 3
    assert numbers(registry.versions()) == [(3, "champion"), (2, None), (1, None)]
    assert registry.store.aliases() == {"failure": {"champion": 3}}


def test_what_was_read_of_the_store_counts_until_it_changes(home, registry, record):
    acts = (
        record,
        lambda: registry.promote(registry.versions()[0]),
        lambda: registry.store.point("failure", "challenger", 1),
        registry.rollback,
        lambda: registry.prune(keep=1),
    )
    for act in acts:
        registry.versions()
        act()
        found = registry.versions()

        assert registry.versions() == found == Registry(home).versions()
        (home / "models" / KEPT).unlink()
        assert registry.versions() == found


def test_what_is_recorded_is_known_without_mlflow_once_it_was_pruned(home, registry):
    registry.prune(keep=9)
    command = [sys.executable, "-P", "-c", KNOWN, str(home)]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said == f"{numbers(registry.versions())} False\n"


def test_a_rollback_drops_the_champion_and_goes_one_further_back_each_time(home, registry):
    registry.promote(registry.versions()[0])

    assert [registry.rollback().version for _ in range(2)] == [2, 1]
    assert registry.store.aliases() == {"failure": {"champion": 1}}
    with pytest.raises(ModelMissing, match="version 1 is the first champion of the failure model") as raised:
        registry.rollback()
    assert raised.value.exit_code == 8
    assert champion(home, TODAY).version == 1


def test_a_rollback_to_a_damaged_champion_is_refused(home, registry):
    flip(home / champion(home, day("2025-01-01")).path)

    with pytest.raises(ModelDamaged, match="version 1"):
        registry.rollback()

    assert champion(home, TODAY).version == 2


def test_the_list_keeps_the_champion_and_five_earlier_ones(home, registry, record):
    for month in range(4, 10):
        registry.promote(record(month))

    assert [entry.version for entry in promoted(home)] == [4, 5, 6, 7, 8, 9]


def test_a_version_that_is_promoted_again_is_listed_once(home, registry):
    registry.promote(registry.versions()[-1])

    assert [entry.version for entry in promoted(home)] == [2, 1]


def test_kinds_of_models_have_champions_of_their_own(home, registry, record):
    registry.promote(record(kind="restore"))

    assert champion(home, TODAY, "restore").version == 1
    assert champion(home, TODAY).version == 2
    assert registry.rollback().version == 1
    assert champion(home, TODAY, "restore").version == 1


def test_pruning_spares_champions_the_challenger_and_the_newest(home, registry, record):
    registry.promote(record())
    for month in (5, 6, 7):
        record(month)

    removed = registry.prune(keep=2)

    assert numbers(removed) == [(5, None), (3, None)]
    assert numbers(registry.versions()) == [(7, "challenger"), (6, None), (4, "champion"), (2, None), (1, None)]
    assert files(home) == set(registry.store.runs()) == {version.run_id for version in registry.versions()}
    assert all(checked(home, Champion.of(version)) for version in registry.versions())
    assert registry.prune(keep=2) == []


def test_a_challenger_is_spared_however_old_it_is(registry, record):
    challenger = registry.versions()[0]
    record()
    registry.store.point("failure", "challenger", challenger.number)

    assert numbers(registry.prune(keep=0)) == [(4, None)]


def test_pruning_leaves_what_a_person_logged_into_the_same_store(home, registry):
    run = registry.store.client.create_run(registry.store.experiment())
    (home / "models" / "artifacts" / run.info.run_id).mkdir()

    registry.prune(keep=1)

    assert run.info.run_id in registry.store.runs()
    assert run.info.run_id in files(home)


def test_a_new_store_counts_on_from_what_the_list_and_the_folders_know(home, registry, record, with_store, tmp_path):
    registry.promote(record(kind="restore"))
    lost = Registry(with_store(tmp_path / "lost"))
    (home / "models" / STORE).unlink()
    shutil.copy(lost.store.path, home / "models" / STORE)

    version = record()
    registry.prune(keep=1)

    assert version.number == 4
    assert numbers(registry.versions()) == [(4, "challenger")]
    assert files(home) == {entry.run_id for entry in promoted(home)} | {version.run_id}
    assert champion(home, TODAY).version == 2
    assert checked(home, champion(home, TODAY))
    assert registry.promote(version) == promoted(home, "failure")[-1]
    assert [entry.version for entry in promoted(home, "failure")] == [1, 2, 4]


@pytest.mark.parametrize(("lost", "number"), [("champions.json", 4), ("artifacts", 3)])
def test_a_number_is_never_given_twice_while_anything_remembers_it(
    home, registry, record, with_store, tmp_path, lost, number
):
    shutil.copy(Registry(with_store(tmp_path / "lost")).store.path, home / "models" / STORE)
    path = home / "models" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    assert record().number == number
    assert record().number == number + 1


def test_a_damaged_store_says_so_at_once_and_stops_neither_serving_nor_going_back(home):
    (home / "models" / STORE).write_bytes(b"no database" * 1000)

    with pytest.raises(StoreUnusable, match="not a database") as raised:
        Registry(home).versions()

    assert raised.value.exit_code == 8
    assert "shipcast train" in raised.value.next_step
    assert checked(home, champion(home, TODAY))
    assert Registry(home).rollback().version == 1
    assert champion(home, TODAY).version == 1


def test_a_home_that_mlflow_cannot_address_is_refused_in_words(tmp_path):
    with pytest.raises(StoreUnusable, match="holds % or"):
        Registry(tmp_path / "100%").store  # noqa: B018

    assert list(tmp_path.iterdir()) == []


def test_a_home_that_was_moved_serves_and_records_where_it_is(home, tmp_path):
    moved = home.rename(tmp_path / "moved to # ü")
    file = tmp_path / "model.bin"
    file.write_bytes(b"model")
    registry = Registry(moved)
    registry.promote(registry.record(file, Facts("failure", "boosted", {}, {}, day("2025-04-01"), "data")))

    assert checked(moved, champion(moved, TODAY)).read_bytes() == b"model"
    assert not home.exists()


def test_a_cut_off_with_a_zone_is_refused():
    with pytest.raises(ValueError, match="naive UTC"):
        Facts("failure", "boosted", {}, {}, datetime(2025, 4, 1, tzinfo=UTC), "data")


class Planted:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_planted_pickle_is_kept_promoted_and_removed_without_being_run(home, registry, record, tmp_path):
    trap, artefact = tmp_path / "sprung", tmp_path / "model.pkl"
    planted = pickle.dumps(Planted(trap))
    artefact.write_bytes(planted)
    pickle.loads(planted)
    trap.rmdir()

    registry.promote(record(content=planted, artefacts=(artefact,)))
    assert checked(home, champion(home, TODAY)).read_bytes() == planted
    registry.rollback()
    registry.prune(keep=0)

    assert not trap.exists()


def test_serving_imports_neither_mlflow_nor_scikit_learn(home):
    code = f"""
import sys
from datetime import datetime
from pathlib import Path
from shipcast.models.registry import champion, checked
home = Path({str(home)!r})
print(checked(home, champion(home, datetime(2025, 6, 1))).stat().st_size)
print(*{{"mlflow", "sklearn", "skops", "sqlalchemy", "alembic", "pandas"}} & set(sys.modules))
"""

    served = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)

    assert (served.stdout, served.stderr) == ("1000\n\n", "")


def test_a_recording_that_is_killed_at_any_step_leaves_the_champion_and_nothing_that_stays(apart, home, killer):
    (home / "input.bin").write_bytes(b"model")
    before = champion(home, TODAY)
    original = shutil.copytree(home, home.with_name("original"))
    code, steps = killer(home, "record", 0)
    assert code == 0
    assert steps > 8
    counts = set()
    for number in range(1, steps + 1):
        shutil.rmtree(home)
        shutil.copytree(original, home)
        assert killer(home, "record", number)[0] == -9, number
        assert champion(home, TODAY) == before, number
        assert checked(home, before)
        registry = Registry(home)
        registry.prune(keep=9)
        versions = registry.versions()
        assert all(checked(home, Champion.of(version)) for version in versions), number
        assert files(home) == set(registry.store.runs()) == {version.run_id for version in versions}, number
        counts.add(len(versions))
    assert counts == {3, 4}


def test_a_promotion_that_is_killed_at_any_step_leaves_one_champion_whom_mlflow_follows(home, killer):
    original = shutil.copytree(home, home.with_name("original"))
    code, steps = killer(home, "promote", 0)
    assert code == 0
    assert steps > 3
    seen = set()
    for number in range(1, steps + 1):
        shutil.rmtree(home)
        shutil.copytree(original, home)
        assert killer(home, "promote", number)[0] == -9, number
        entry = champion(home, TODAY)
        assert checked(home, entry)
        registry = Registry(home)
        registry.prune(keep=9)
        assert registry.store.aliases()["failure"]["champion"] == entry.version, number
        assert registry.versions()[3 - entry.version].alias == "champion", number
        seen.add(entry.version)
    assert seen == {2, 3}
