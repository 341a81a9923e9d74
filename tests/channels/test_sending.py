"""What channels are sent, what they answer, and that no secret is in any word."""

import email as mime
import json
import logging
from datetime import UTC, datetime
from email.policy import default

import pytest
from certificates import Authority
from made_notices import AT, CANARY, HOSTILE, SECRET, email, notice, slack, webhook
from mail_server import MailServer, taking
from pydantic import SecretStr
from vendor import Told, Vendor, serving

from shipcast.channels.errors import ChannelRefuses, ChannelUnreachable
from shipcast.channels.notice import text
from shipcast.channels.sending import send, shown
from shipcast.ingest.hooks.signatures import is_standard
from shipcast.settings.errors import ConfigurationError, ShipcastError

PATH = f"/services/{CANARY}"


@pytest.fixture
def server(monkeypatch):
    with serving(Vendor(lambda asked: Told("ok"))) as vendor:
        monkeypatch.setenv("HOOK_URL", f"{vendor.url}{PATH}")
        monkeypatch.setenv("SLACK_URL", f"{vendor.url}{PATH}")
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        yield vendor


@pytest.fixture
def post_office(monkeypatch):
    monkeypatch.setenv("MAIL_PASSWORD", CANARY)
    with taking(MailServer()) as mail:
        yield mail


def test_a_webhook_is_signed_so_that_whoever_has_the_secret_can_tell(server):
    now = datetime.now(UTC)
    send(webhook(), notice(), now)
    [asked] = server.asked
    body = json.dumps(asked.body, ensure_ascii=False).encode()

    assert asked.headers["webhook-id"] == "msg_1"
    assert is_standard(asked.headers, body, SecretStr(SECRET), now)
    assert not is_standard(asked.headers, body + b" ", SecretStr(SECRET), now)
    assert asked.body["type"] == "window_opening"
    assert asked.body["data"]["facts"]["chance"] == 0.031


def test_another_attempt_has_the_same_id_and_body_and_a_time_and_signature_of_its_own(server):
    for minute in (0, 5):
        send(webhook(), notice(), AT.replace(minute=minute))
    first, second = server.asked

    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 300
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_nothing_in_a_name_is_markup_for_slack(server):
    send(slack(), notice(), AT)
    [asked] = server.asked
    text = asked.body["text"]

    assert "<" not in text
    assert ">" not in text
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|ok&gt;?" in text
    assert "Bcc" not in [line[:3] for line in text.splitlines()]
    assert (asked.body["mrkdwn"], asked.body["unfurl_links"]) == (False, False)


def test_mail_is_plain_text_with_headers_that_no_name_adds_to(post_office):
    send(email(post_office.address), notice(), AT)
    [raw] = post_office.messages
    message = mime.message_from_bytes(raw, policy=default)

    assert message.get_content_type() == "text/plain"
    assert sorted(message.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
         "Content-Transfer-Encoding"]
    )  # fmt: skip
    assert message["Message-ID"] == "<msg_1@example.com>"
    assert "opens in 45 minutes" in message.get_content()
    assert [line for line in post_office.commands if line.startswith("rcpt")] == [
        "rcpt TO:<ops@example.com>",
        "rcpt TO:<dev@example.com>",
    ]


def test_the_same_mail_is_sent_with_each_attempt(post_office):
    for minute in (0, 5):
        send(email(post_office.address), notice(), AT.replace(minute=minute))

    assert post_office.messages[0] == post_office.messages[1]


def test_a_password_is_shown_to_the_server_alone(post_office):
    send(email(post_office.address, user="me", password_env="MAIL_PASSWORD"), notice(), AT)

    assert post_office.passwords == [CANARY]


def test_no_password_and_no_message_goes_to_a_server_that_cannot_encrypt(post_office):
    channel = email(post_office.address, tls="starttls", user="me", password_env="MAIL_PASSWORD")

    with pytest.raises(ChannelRefuses, match="cannot do what is asked"):
        send(channel, notice(), AT)
    assert (post_office.passwords, post_office.messages) == ([], [])


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_message_goes_over_tls_to_a_server_that_the_users_authority_vouches_for(
    post_office, tls, tmp_path, monkeypatch
):
    authority = Authority(tmp_path)
    post_office.context, post_office.is_tls_at_once = authority.server(), tls == "tls"
    post_office.offers = ("STARTTLS", "AUTH PLAIN")
    channel = email(post_office.address, tls=tls, user="me", password_env="MAIL_PASSWORD")

    with pytest.raises(ChannelUnreachable, match="its certificate is not trusted") as refused:
        send(channel, notice(), AT)
    assert "SSL_CERT_FILE" in refused.value.next_step
    assert (post_office.passwords, post_office.messages) == ([], [])

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    send(channel, notice(), AT)
    assert (post_office.passwords, len(post_office.messages)) == ([CANARY], 1)


def test_a_recipient_who_is_refused_keeps_the_message_from_no_other(post_office):
    post_office.faults = {"RCPT TO:<DEV": "550 nobody"}

    assert send(email(post_office.address), notice(), AT) == "1 of 2 recipients were refused"
    assert len(post_office.messages) == 1


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        ({"AUTH": f"535 {CANARY} is wrong"}, ChannelRefuses, "refuses the user and the password (535)"),
        ({"RCPT": f"550 {CANARY}"}, ChannelRefuses, "refuses all recipients (550)"),
        ({"MAIL": f"451 {CANARY}"}, ChannelUnreachable, "refuses the message (451)"),
        ({"END": f"554 {CANARY}"}, ChannelRefuses, "refuses the message (554)"),
    ],
)
def test_what_a_mail_server_refuses_is_said_without_its_words(post_office, faults, kind, words):
    post_office.faults = faults

    with pytest.raises(kind) as caught:
        send(email(post_office.address, user="me", password_env="MAIL_PASSWORD"), notice(), AT)
    assert words in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Told({"message": CANARY}, 503, {"Retry-After": "7"}), ChannelUnreachable, "cannot take it now (503)"),
        (Told(status=429), ChannelUnreachable, "too many messages (429)"),
        (Told({"message": CANARY}, 404), ChannelRefuses, "refuses the message (404)"),
        (Told(status=302, headers={"Location": "https://elsewhere.example"}), ChannelRefuses, "another address (302)"),
    ],
)
@pytest.mark.parametrize("channel", [webhook(), slack()], ids=["webhook", "slack"])
def test_what_a_server_refuses_is_said_without_its_words(server, channel, answer, kind, words):
    server.answer = lambda asked: answer

    with pytest.raises(kind) as caught:
        send(channel, notice(), AT)
    assert words in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.facts.get("pause") == (7 if "Retry-After" in answer.headers else None)
    assert len(server.asked) == 1


@pytest.mark.parametrize("goodbye", ["421 busy", "250 fine"])
def test_a_message_that_was_taken_is_sent_whatever_the_goodbye(post_office, goodbye):
    post_office.faults = {"QUIT": goodbye}

    assert send(email(post_office.address), notice(), AT) == ""
    assert len(post_office.messages) == 1


@pytest.mark.parametrize(("user", "offer"), [("m\u00fcller", "AUTH PLAIN"), ("me", "AUTH CRAM-MD5")])
def test_what_cannot_be_proved_to_a_mail_server_is_said(post_office, user, offer):
    post_office.offers = (offer,)

    with pytest.raises(ChannelRefuses, match="a proof that cannot be given"):
        send(email(post_office.address, user=user, password_env="MAIL_PASSWORD"), notice(), AT)
    assert post_office.messages == []


def test_a_pause_until_a_year_that_no_clock_has_is_none(server):
    server.answer = lambda asked: Told({}, 503, {"Retry-After": "Wed, 21 Oct 99999999999 07:28:00 GMT"})

    with pytest.raises(ChannelUnreachable) as caught:
        send(webhook(), notice(), AT)
    assert caught.value.facts.get("pause") is None


@pytest.mark.parametrize("fault", ["drip", "reset", "truncated"])
def test_a_server_that_does_not_answer_in_time_or_breaks_off_is_left(server, fault):
    server.answer, server.faults = (lambda asked: Told(raw=b"x" * 200)), [fault]

    with pytest.raises(ChannelUnreachable) as caught:
        send(slack(), notice(), AT, deadline=0.3)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["http://hooks.example.com/x", "ftp://x", "https://", "https://a:b@c", "https://[", CANARY, "https://x:y"],
)
def test_an_address_that_others_could_read_along_is_not_used(monkeypatch, address):
    monkeypatch.setenv("SLACK_URL", address)

    with pytest.raises(ConfigurationError, match="none that can be used") as caught:
        send(slack(), notice(), AT)
    assert len(address) < 10 or address not in str(caught.value)


def test_a_secret_that_is_too_short_signs_nothing(server, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "sesame")

    with pytest.raises(ConfigurationError, match="too short"):
        send(webhook(), notice(), AT)
    assert server.asked == []


def test_a_server_that_is_not_there_is_named_by_its_channel_alone(monkeypatch, server):
    monkeypatch.setenv("SLACK_URL", f"http://127.0.0.1:1/{CANARY}")

    for channel in (slack(), email("127.0.0.1:1")):
        with pytest.raises(ShipcastError) as caught:
            send(channel, notice(), AT)
        assert str(caught.value).startswith(f"{channel.label}: ")
        assert CANARY not in str(caught.value)


def test_odd_headers_do_not_bring_the_address_into_a_log(server, caplog, capsys):
    server.answer = lambda asked: Told("ok", headers={"X Y": "odd", "Z": "1"})

    with caplog.at_level(logging.INFO), pytest.raises(ChannelUnreachable):
        send(slack(), notice(), AT, deadline=0.3)
    said = capsys.readouterr()
    assert CANARY not in caplog.text + said.out + said.err


def test_what_would_be_sent_is_shown_without_a_secret():
    texts = [shown(channel, notice()) for channel in (webhook(), slack(), email())]

    assert all("opens in 45 minutes" in text for text in texts)
    assert "webhook-id: msg_1" in texts[0]
    assert json.loads(texts[0].split("\n\n", 1)[1])["data"]["service"] == HOSTILE
    assert texts[2].splitlines()[1] == "To: ops@example.com, dev@example.com"


def test_words_have_few_digits_and_say_no_phrase_twice():
    why = "The variable GITHUB_TOKEN is not set."
    told = notice(sentence=f"github acme/shop fails. {why}", facts={"rate": 2 / 9, "failure": why, "state": "failing"})

    assert text(told) == f"github acme/shop fails. {why}\n\nrate: 0.2222\nstate: failing"
