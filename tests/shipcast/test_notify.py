"""`notify` as its users type it: what is sent and noted, what a dry run leaves alone, and that no secret gets out."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from made_notices import CANARY, SECRET
from mail_server import MailServer, taking
from vendor import Told, Vendor, serving

from shipcast.__main__ import run
from shipcast.answers.answer import SCHEMAS
from shipcast.answers.bookings import reserve
from shipcast.answers.doctor import doctor
from shipcast.answers.operations import RunAnswer, envelope
from shipcast.answers.words import local_time
from shipcast.ask import Ask
from shipcast.channels.outbox import FILE
from shipcast.ingest.health import record
from shipcast.scheduling.ledger.entries import Booking
from shipcast.settings import Settings, load_settings
from shipcast.settings.errors import SourceUnreachable
from shipcast.verbs.data import told_people
from shipcast.warehouse.lock import outbox_lock

DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"
CHANNELS = """
[[sources]]
path = "exports"

[[notify]]
kind = "webhook"
url_env = "HOOK_URL"
secret_env = "HOOK_SECRET"

[[notify]]
kind = "slack"
url_file = "slack.url"
services = ["web"]

[[notify]]
kind = "email"
server = "{mail}"
tls = "none"
user = "me"
password_env = "MAIL_PASSWORD"
sender = "ship@example.com"
to = ["ops@example.com"]
"""


@pytest.fixture
def post_office():
    with taking(MailServer()) as mail:
        yield mail


@pytest.fixture
def server():
    with serving(Vendor(lambda asked: Told("ok"))) as vendor:
        yield vendor


@pytest.fixture
def home(tmp_path, server, post_office, monkeypatch):
    """A home with three channels, a booking that starts in half an hour, and a source that fails."""
    monkeypatch.setenv("HOOK_URL", f"{server.url}/hook/{CANARY}")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("MAIL_PASSWORD", f"{CANARY}-mail")
    home = tmp_path / "home"
    home.mkdir()
    secrets = tmp_path / "slack.url"
    secrets.write_text(f"{server.url}/slack/{CANARY}")
    text = CHANNELS.format(mail=post_office.address).replace("slack.url", str(secrets))
    (home / "shipcast.toml").write_text(text)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
    reserve(Settings(home=home), start, "ana", Booking(service="pay", start=start, end=start + timedelta(hours=1)))
    record(home, [(str(home / "exports"), SourceUnreachable("exports: no answer."))], start - timedelta(days=1))
    return home


def ask(capsys, home, *arguments):
    capsys.readouterr()
    code = run(["--home", str(home), "notify", "--json", *arguments])
    answer = json.loads(capsys.readouterr().out)
    jsonschema.validate(answer, json.loads((SCHEMAS / "notify.json").read_text(encoding="utf-8")))
    return code, answer


def states(answer):
    return sorted((item["channel"], item["kind"], item["state"]) for item in answer["items"])


def test_each_channel_is_told_once_of_what_it_wants(capsys, home, server, post_office):
    code, answer = ask(capsys, home)

    assert (code, answer["sentence"][:23]) == (0, "5 messages were sent at")
    assert states(answer) == [
        ("email", "source_stale", "delivered"),
        ("email", "window_opening", "delivered"),
        ("slack", "source_stale", "delivered"),
        ("webhook", "source_stale", "delivered"),
        ("webhook", "window_opening", "delivered"),
    ]
    assert (len(server.asked), len(post_office.messages)) == (3, 2)
    assert ask(capsys, home)[1]["items"] == []
    assert (len(server.asked), len(post_office.messages)) == (3, 2)


def test_a_dry_run_shows_each_message_and_sends_and_stores_nothing(capsys, home, server, post_office):
    before = sorted(path.name for path in home.rglob("*"))
    code, answer = ask(capsys, home, "--dry-run")

    assert (code, len(answer["items"])) == (0, 5)
    assert answer["sentence"].startswith("5 messages would be sent at")
    assert all("Booking" in item["message"] or "booking" in item["message"] or "exports" in item["message"]
               for item in answer["items"])  # fmt: skip
    assert (server.asked, post_office.commands) == ([], [])
    assert sorted(path.name for path in home.rglob("*")) == before


@pytest.fixture
def quiet_home(home):
    """The same home, its webhook quiet from an hour ago to two hours from now; and when that is over."""
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    path = home / "shipcast.toml"
    path.write_text(path.read_text().replace('kind = "webhook"', f'kind = "webhook"\nquiet = "{hours}"\ntz = "UTC"'))
    return home, (now + timedelta(hours=2)).replace(second=0, microsecond=0)


@pytest.mark.parametrize("arguments", [["--dry-run"], []])
def test_what_quiet_hours_hold_back_is_counted_with_their_end(capsys, quiet_home, arguments):
    home, end = quiet_home
    _, answer = ask(capsys, home, *arguments)
    [held] = [item for item in answer["items"] if item["quiet_until"]]

    assert (held["channel"], held["kind"], held["state"]) == ("webhook", "source_stale", "pending")
    assert (answer["held_back"], answer["held_until"]) == (1, f"{end:%Y-%m-%dT%H:%M:%SZ}")
    assert f"(1 held back by quiet hours until {local_time(end, 'UTC', datetime.now(UTC))} (UTC))" in answer["sentence"]


def test_the_table_says_from_when_what_is_held_back_is_tried(capsys, quiet_home):
    home, end = quiet_home
    capsys.readouterr()
    run(["--home", str(home), "notify"])

    [line] = [line for line in capsys.readouterr().out.splitlines() if "held back (quiet)" in line]
    assert f"{end:%Y-%m-%d %H:%M} UTC" in line


def test_a_channel_that_fails_is_named_and_tried_again_with_the_same_id(capsys, home, server, post_office):
    server.faults = ["502"] * 3
    code, answer = ask(capsys, home)
    pending = {item["id"] for item in answer["items"] if item["state"] == "pending"}

    assert code == 5
    assert "webhook: its server cannot take it now (502)." in answer["warnings"]
    assert len(post_office.messages) == 2
    [finding] = [one for one in doctor(load_settings({"home": home}), datetime.now(UTC)).items
                 if one.subject == "channel" and "webhook" in one.finding]  # fmt: skip
    assert (finding.state, finding.remedy) == ("stale", "shipcast notify --test webhook")
    assert (
        "1 message tried in vain so far; the last time: webhook: its server cannot take it now (502)."
        in finding.finding
    )

    ids = {asked.headers["webhook-id"] for asked in server.asked if asked.path.startswith("/hook")}
    assert ids <= pending


def test_a_test_message_goes_to_one_channel_and_is_not_stored(capsys, home, server):
    code, answer = ask(capsys, home, "--test", "slack")
    [asked] = server.asked

    assert (code, answer["items"][0]["kind"]) == (0, "test")
    assert "This is 1 test message to slack" in asked.body["text"]
    assert not (home / FILE).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--test", "slak"], 2, "Did you mean slack?"),
        (["--test", "slack", "--dry-run"], 2, "exclude each other"),
        (["--as-of", "2025-01-01"], 2, "sent as of now"),
    ],
)
def test_what_cannot_be_asked_says_why(capsys, home, server, arguments, code, words):
    assert run(["--home", str(home), "notify", *arguments]) == code
    assert words in capsys.readouterr().err
    assert server.asked == []


def test_a_test_message_that_does_not_get_through_says_why(capsys, home, server):
    server.answer = lambda asked: Told({"message": CANARY}, 403)

    assert run(["--home", str(home), "notify", "--test", "webhook"]) == 3
    assert "webhook: its server refuses the message (403)." in capsys.readouterr().err


def test_without_a_channel_there_is_nothing_to_do(capsys, tmp_path):
    assert run(["--home", str(tmp_path), "notify"]) == 3
    assert "no channel is configured" in capsys.readouterr().err


def test_two_do_not_send_at_once(capsys, home, server):
    with outbox_lock(home):
        assert run(["--home", str(home), "notify"]) == 6
    assert server.asked == []


def test_no_secret_is_in_a_file_of_the_home_in_a_word_or_in_an_answer(capsys, home, server, post_office):
    server.faults, post_office.faults = ["502", None, "expired"], {"AUTH": f"535 {CANARY}"}
    capsys.readouterr()
    for arguments in (["--dry-run"], ["-v"], ["--json"], ["--test", "webhook"], ["--test", "email", "--json"]):
        run(["--home", str(home), "notify", *arguments])
    run(["--home", str(home), "doctor"])
    said = capsys.readouterr()
    kept = [path for path in home.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]

    assert (CANARY in said.out + said.err, SECRET in said.out + said.err, kept) == (False, False, [])
    assert post_office.commands


def test_a_damaged_outbox_is_said_and_begins_anew_with_the_same_ids(capsys, home, server):
    _, first = ask(capsys, home)
    (home / FILE).write_text((home / FILE).read_text().replace("delivered", "deIivered"))
    findings = doctor(load_settings({"home": home}), datetime.now(UTC)).items
    _, second = ask(capsys, home)

    assert ("outbox", "broken") in [(one.subject, one.state) for one in findings]
    assert any("is damaged" in warning for warning in second["warnings"])
    assert {item["id"] for item in first["items"]} == {item["id"] for item in second["items"]}


def told_by_a_run(home, **asked):
    answer = RunAnswer(**envelope(datetime.now(UTC)), items=(), snapshot="s", training=None, sentence="Read.")
    return told_people(Ask(home=str(home), quiet=True, **asked), answer)


def test_a_run_ends_with_the_same_step_and_no_channel_makes_it_fail(home, server):
    server.faults = ["502"]
    answer = told_by_a_run(home)

    assert answer.notified.startswith("3 messages were sent at ")
    assert "webhook: its server cannot take it now (502)." in answer.warnings
    assert any(warning.startswith("Nothing was forecast: ") for warning in answer.warnings)
    with outbox_lock(home):
        [warning] = told_by_a_run(home).warnings
    assert warning.startswith("No message was sent: another command is sending")


def test_a_run_about_another_time_or_without_channels_tells_nobody(home, server, tmp_path):
    for answer in (told_by_a_run(home, as_of_text="2025-01-01"), told_by_a_run(tmp_path)):
        assert (answer.notified, answer.warnings) == (None, ())
    assert server.asked == []


def test_the_lines_on_the_page_tell_a_message_of_ours_from_another(capsys, home, server):
    ask(capsys, home)
    [code] = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    asked = next(asked for asked in server.asked if asked.path.startswith("/hook"))
    body = json.dumps(asked.body, ensure_ascii=False).encode()
    names: dict = {}
    exec(code, names)

    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 6
    assert names["is_ours"](asked.headers, body, SECRET)
    assert not names["is_ours"](asked.headers, body + b" ", SECRET)
