"""What entries of `[[notify]]` may say, and that no refusal repeats what may be a secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from shipcast.settings import load_settings
from shipcast.settings.addresses import is_loopback
from shipcast.settings.channels import EVENTS
from shipcast.settings.errors import ConfigurationError
from shipcast.settings.secrets import Reference, needed

CANARY = "canary-5d1f"
MAIL = 'kind = "email"\nserver = "smtp.example.com:587"\nsender = "ship@example.com"\nto = ["ops@example.com"]\n'
HOOK = 'kind = "webhook"\nurl_env = "HOOK_URL"\nsecret_env = "HOOK_SECRET"\n'


def channels(home, *entries):
    (home / "shipcast.toml").write_text("".join(f"[[notify]]\n{entry}\n" for entry in entries))
    return load_settings({"home": home}, {}).notify


def test_an_entry_of_each_kind_is_told_of_everything_unless_it_says_otherwise(tmp_path):
    hook, slack, mail = channels(
        tmp_path,
        HOOK,
        'kind = "slack"\nname = "releases"\nurl_file = "slack.url"\nevents = ["weekly_digest"]\nservices = ["pay-*"]',
        MAIL,
    )

    assert [one.label for one in (hook, slack, mail)] == ["webhook", "releases", "email"]
    assert (hook.events, slack.events, slack.services) == (EVENTS, ("weekly_digest",), ("pay-*",))
    assert slack.address.file == tmp_path / "slack.url"
    assert (mail.host, mail.port, mail.tls, mail.references) == ("smtp.example.com", 587, "starttls", ())


def test_a_server_without_a_port_has_the_usual_one(tmp_path):
    [mail] = channels(tmp_path, MAIL.replace(":587", "") + 'tls = "tls"')

    assert mail.port == 465


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('kind = "pager"', "entry 1: kind must be webhook, slack or email"),
        (f'kind = "slack"\nurl = "https://{CANARY}"', "unknown key 'url'; meant is perhaps 'url_env'"),
        ('kind = "slack"', "its address is named by url_env or by url_file"),
        ('kind = "slack"\nurl_env = "A"\nurl_file = "b"', "by one of the two"),
        (f'kind = "slack"\nurl_env = "https://{CANARY}"', "(slack), url_env: it names a variable"),
        ('kind = "webhook"\nurl_env = "A"', "its secret is named by secret_env"),
        (f"{HOOK}quiet = '22-7'", "quiet: '22-7' are no hours"),
        (f"{HOOK}quiet = '22:00-22:00'", "are no hours"),
        (f"{HOOK}tz = 'Mars/Olympus'", "'Mars/Olympus' is not a time zone"),
        (f"{HOOK}events = ['windows']", "(webhook), events: Input should be 'window_opening'"),
        (f"{HOOK}name = 'a b'", "no name of a channel"),
        (f"{MAIL}tls = 'none'", "would send mail to smtp.example.com in clear"),
        (f"{MAIL}user = 'me'", "its password is named by password_env"),
        (f"{MAIL}password_env = 'P'", "a password needs its user"),
        (MAIL.replace("ops@example.com", "ops@example.com\\nBcc: x@example.com"), "is no address of e-mail"),
        (MAIL.replace("smtp.example.com:587", "me:pw@smtp"), "is no server"),
        (MAIL.replace("smtp.example.com:587", "smtp:99999"), "is no server"),
        (MAIL.replace('["ops@example.com"]', "[]"), "(email), to: "),
    ],
)
def test_what_is_wrong_with_an_entry_is_named_and_no_secret_repeated(tmp_path, entry, words):
    with pytest.raises(ConfigurationError) as caught:
        channels(tmp_path, entry)

    assert words in str(caught.value), str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_two_channels_may_not_be_called_alike(tmp_path):
    with pytest.raises(ConfigurationError, match="2 channels are called 'webhook'"):
        channels(tmp_path, HOOK, HOOK)


def test_what_stands_in_the_place_of_the_entries_is_not_repeated():
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, {"SHIPCAST_NOTIFY": f"https://{CANARY}"})

    assert "SHIPCAST_NOTIFY" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "own"), [("localhost", True), ("127.0.0.9", True), ("::1", True), ("10.0.0.1", False), ("db", False)]
)
def test_only_this_machine_is_the_loopback(host, own):
    assert is_loopback(host) is own


def test_a_secret_is_read_where_it_is_named_and_shown_nowhere(tmp_path, monkeypatch):
    (tmp_path / "url").write_text(f"{CANARY}\n")
    found = needed(Reference("its address", None, tmp_path / "url"), "slack")

    assert isinstance(found, SecretStr)
    assert CANARY not in repr(found)
    with pytest.raises(ConfigurationError, match="slack, its address: the variable NOWHERE is not set"):
        needed(Reference("its address", "NOWHERE", None), "slack")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        needed(Reference("its address", None, Path("nowhere")), "slack")
