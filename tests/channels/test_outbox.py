"""The outbox: each message reaches each channel at least once, always with the same id, and is told once."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_notices import AT, notice, slack, webhook

from shipcast.channels.delivery import deliver, held_until
from shipcast.channels.errors import ChannelUnreachable
from shipcast.channels.outbox import FILE, LEAST, Outbox, read_outbox, wants, write_outbox
from shipcast.channels.quiet import is_quiet, quiet_until

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Ears:
    """A channel's far end: what it heard and when, how often it is deaf before it hears, and its seconds to answer."""

    def __init__(self, deaf=0, pause=None, seconds=0):
        self.deaf, self.pause, self.seconds = deaf, pause, seconds
        self.heard, self.times, self.passed = [], [], 0

    def clock(self):
        return self.passed

    def __call__(self, channel, notice, now):
        self.times.append(now)
        self.passed += self.seconds
        if self.deaf:
            self.deaf -= 1
            raise ChannelUnreachable("slack: nobody.", pause=self.pause)
        self.heard.append((channel.label, notice.id))
        return ""


@pytest.fixture
def home(tmp_path):
    return tmp_path


ONE, SLACK = (notice(),), (slack(),)


def run(home, ears, now=AT, notices=ONE, channels=SLACK, clock=lambda: 0):
    outbox = read_outbox(home).queued(notices, channels, now)
    write_outbox(home, outbox)
    return deliver(home, outbox, channels, now, "UTC", ears, clock)


def deliveries(home):
    return [each for entry in read_outbox(home).entries for each in entry.deliveries]


def test_an_event_that_is_found_again_and_again_is_told_once(home):
    ears = Ears()
    for minute in range(3):
        run(home, ears, AT + minute * MINUTE)

    assert ears.heard == [("slack", "msg_1")]


def test_a_channel_that_comes_later_is_told_of_what_is_still_so(home):
    ears = Ears()
    run(home, ears)
    run(home, ears, AT + MINUTE, channels=(slack(), webhook()))

    assert ears.heard == [("slack", "msg_1"), ("webhook", "msg_1")]


def test_a_failed_message_is_tried_again_with_the_same_id_after_pauses_that_double(home):
    ears, now, pauses = Ears(deaf=12), AT, []
    run(home, ears, now)
    while not ears.heard:
        [waiting] = deliveries(home)
        run(home, ears, waiting.next_at - MINUTE / 60, notices=())
        assert deliveries(home) == [waiting]
        pauses.append((waiting.next_at - now) / MINUTE)
        now = waiting.next_at
        run(home, ears, now, notices=())

    assert ears.heard == [("slack", "msg_1")]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    assert deliveries(home)[0].attempts == 13


def test_a_server_that_asks_for_a_longer_pause_gets_it_up_to_six_hours(home):
    run(home, Ears(deaf=1, pause=600))
    assert deliveries(home)[0].next_at == AT + 10 * MINUTE

    run(home, Ears(deaf=1, pause=10**9), AT + 10 * MINUTE)
    assert deliveries(home)[0].next_at == AT + 10 * MINUTE + 6 * HOUR


def test_it_is_given_up_after_three_days_and_not_before(home):
    ears, now = Ears(deaf=100), AT
    run(home, ears, now)
    while (waiting := deliveries(home)[0]).next_at is not None:
        assert waiting.next_at - AT < 3 * DAY + 6 * HOUR
        now = waiting.next_at
        run(home, ears, now, notices=())

    assert now - AT >= 3 * DAY
    assert (waiting.state, waiting.said) == ("gave_up", "slack: nobody.")


def test_a_failed_message_is_given_up_once_it_would_come_too_late(home):
    late = notice(late_from=AT + 5 * MINUTE)
    ears = Ears(deaf=100)
    for minute in (0, 1, 3, 7):
        run(home, ears, AT + minute * MINUTE, notices=[late])

    assert deliveries(home)[0].state == "gave_up"


def test_what_was_waiting_until_it_would_come_too_late_or_for_days_is_not_sent_any_more(home):
    deaf, ears = Ears(deaf=100), Ears()
    run(home, deaf, AT, notices=[notice(late_from=AT + 30 * MINUTE)])
    run(home, ears, AT + 31 * MINUTE, notices=())
    assert (ears.heard, deliveries(home)[0].state) == ([], "gave_up")

    (home / FILE).unlink()
    run(home, deaf, AT)
    run(home, ears, AT + 10 * DAY, notices=())
    assert (ears.heard, deliveries(home)[0].state) == ([], "gave_up")


def test_a_window_that_is_not_going_to_open_any_more_is_not_announced():
    opening = notice(kind="window_opening")
    waiting = Outbox().queued([opening], [SLACK[0]], AT)

    assert waiting.without_withdrawn({opening.id}, AT) == waiting
    [(one, ended)] = [(one.notice.id, one.deliveries[0]) for one in waiting.without_withdrawn((), AT).entries]
    assert (one, ended.state, ended.said) == (opening.id, "gave_up", "its booking was taken back")


def test_a_fault_that_nobody_thought_of_fails_one_channel_without_its_words(home):
    def broken(channel, one, now):
        raise OverflowError("secret")

    run(home, broken, AT)

    assert (deliveries(home)[0].state, deliveries(home)[0].said) == ("pending", "slack: this is a bug (OverflowError).")


def test_a_crash_between_sending_and_noting_repeats_the_same_id_and_loses_nothing(home):
    ears = Ears()

    def crashing(channel, one, now):
        ears(channel, one, now)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(home, crashing)
    run(home, ears, AT + MINUTE, notices=())

    assert ears.heard == [("slack", "msg_1"), ("slack", "msg_1")]
    assert [each.state for each in deliveries(home)] == ["delivered"]


def test_each_message_is_noted_before_the_next_is_sent(home):
    states = []

    def looking(channel, one, now):
        states.append([each.state for each in deliveries(home)])
        return ""

    run(home, looking, notices=[notice("msg_1"), notice("msg_2")])

    assert states == [["pending", "pending"], ["delivered", "pending"]]


def test_a_dead_channel_is_tried_once_a_time_and_holds_up_no_other(home):
    class Deaf(Ears):
        def __call__(self, channel, one, now):
            self.deaf = channel.kind == "slack"
            self.heard.append((channel.label, one.id))
            return super().__call__(channel, one, now)

    ears = Deaf()
    run(home, ears, notices=[notice("msg_1"), notice("msg_2")], channels=(slack(), webhook()))
    assert [label for label, _ in ears.heard].count("slack") == 1
    assert {name for label, name in ears.heard if label == "webhook"} == {"msg_1", "msg_2"}

    run(home, ears, AT + MINUTE / 2, notices=(), channels=(slack(), webhook()))
    assert [name for label, name in ears.heard if label == "slack"] == ["msg_1", "msg_2"]


def test_the_time_that_a_slow_channel_takes_counts_for_what_comes_after(home):
    late = notice("msg_3", late_from=AT + 3 * MINUTE)
    ears = Ears(seconds=200)
    run(home, ears, notices=(notice("msg_1"), notice("msg_2"), late), clock=ears.clock)

    assert ears.times == [AT, AT + timedelta(seconds=200)]
    assert [(each.state, each.said) for each in deliveries(home)][2] == ("gave_up", "it would have come too late")


def test_a_message_to_a_channel_that_is_gone_waits_for_it_three_days(home):
    run(home, Ears(deaf=1))
    run(home, Ears(), AT + 2 * DAY, notices=(), channels=())
    assert deliveries(home)[0].state == "pending"

    run(home, Ears(), AT + 3 * DAY, notices=(), channels=())
    assert deliveries(home)[0].state == "gave_up"


def test_messages_are_kept_for_sixty_days_and_longer_while_they_are_the_case_or_among_the_last():
    told = [notice(f"msg_{number}") for number in range(LEAST + 1)]
    outbox = Outbox().queued(told, [slack()], AT)

    def gone(*asked):
        return {each.id for each in told} - {entry.notice.id for entry in outbox.pruned(*asked).entries}

    assert gone((), AT + 60 * DAY) == set()
    assert gone((), AT + 60 * DAY + MINUTE) == {"msg_0"}
    assert gone({"msg_0"}, AT + 61 * DAY) == set()


def test_a_clock_that_was_ahead_for_a_while_lets_nothing_be_told_twice(home):
    ears = Ears()
    run(home, ears)
    for day in (70, 71, 72):  # what is the case then is something else
        outbox = read_outbox(home).queued([notice("msg_2")], SLACK, AT + day * DAY)
        write_outbox(home, outbox.pruned({"msg_2"}, AT + day * DAY))
    run(home, ears, AT + MINUTE)

    assert ears.heard.count(("slack", "msg_1")) == 1


def test_a_damaged_outbox_is_no_empty_one(home):
    run(home, Ears())
    (home / FILE).write_text((home / FILE).read_text().replace("delivered", "deIivered"))

    with pytest.raises(ValueError, match="seal"):
        read_outbox(home)
    assert read_outbox(home / "nowhere") == Outbox()


@pytest.mark.parametrize(
    ("service", "kind", "is_wanted"),
    [
        ("pay-api", "window_opening", True),
        ("web", "window_opening", False),
        (None, "weekly_digest", True),
        ("pay-api", "risk_rising", False),
    ],
)
def test_a_channel_is_told_of_its_events_and_services_and_of_what_is_about_none(service, kind, is_wanted):
    channel = slack(events=("window_opening", "weekly_digest"), services=("pay-*",))

    assert wants(channel, notice(service=service, kind=kind)) is is_wanted


def test_quiet_hours_hold_a_message_back_until_they_end(home):
    ears, channels = Ears(), (slack(quiet="22:00-07:00"),)
    night = datetime(2026, 1, 6, 23, tzinfo=UTC)
    run(home, ears, night, channels=channels)
    assert (ears.heard, deliveries(home)[0].attempts) == ([], 0)

    run(home, ears, night + 7 * HOUR + 59 * MINUTE, channels=channels)
    assert ears.heard == []
    run(home, ears, night + 8 * HOUR, channels=channels)
    assert ears.heard == [("slack", "msg_1")]


@pytest.mark.parametrize(("hours", "is_held"), [(8, False), (9, True)])
def test_what_would_come_too_late_behind_quiet_hours_goes_at_once(hours, is_held):
    night = datetime(2026, 1, 6, 23, tzinfo=UTC)
    found = held_until(slack(quiet="22:00-07:00"), notice(late_from=night + hours * HOUR), night, "UTC")

    assert (found is not None) is is_held


CLOCKS = st.times().map(lambda clock: clock.strftime("%H:%M"))
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "America/Havana",
        "Asia/Kathmandu",
    ]
)
DAYS = ["2025-03-30", "2025-10-26", "2025-03-09", "2025-11-02", "2025-04-06", "2025-10-05", "2025-04-25"]
MOMENTS = st.tuples(  # about the changes of clocks, as often as not
    st.sampled_from([datetime.fromisoformat(f"{day}T00:00Z") for day in [*DAYS, "2025-01-01", "2025-07-01"]]),
    st.integers(-24 * 3600, 48 * 3600),
).map(lambda pair: pair[0] + timedelta(seconds=pair[1]))


@given(CLOCKS, CLOCKS, ZONES, MOMENTS)
def test_quiet_hours_end_at_the_first_minute_at_which_the_clock_shows_none_of_them(begins, ends, zone, at):
    if begins == ends:
        return
    channel = slack(quiet=f"{begins}-{ends}", tz=zone)
    turned = slack(quiet=f"{ends}-{begins}", tz=zone)
    until = quiet_until(channel, at, "UTC")

    assert is_quiet(channel, at, "UTC") != is_quiet(turned, at, "UTC")
    assert (until is None) == (not is_quiet(channel, at, "UTC"))
    if until is not None:
        assert at < until <= at + 26 * HOUR
        assert not is_quiet(channel, until, "UTC")
        assert is_quiet(channel, max(at, until - MINUTE), "UTC")
        shown = until.astimezone(ZoneInfo(zone)).strftime("%H:%M")
        before = (until - MINUTE).astimezone(ZoneInfo(zone))
        clocks_changed = before.utcoffset() != until.astimezone(ZoneInfo(zone)).utcoffset()
        assert shown == ends or clocks_changed


def test_a_night_in_which_clocks_change_is_quiet_by_the_clock():
    channel = slack(quiet="22:00-07:00", tz="Europe/Berlin")
    spring, autumn = datetime(2025, 3, 29, 23, tzinfo=UTC), datetime(2025, 10, 25, 22, tzinfo=UTC)

    assert quiet_until(channel, spring, "UTC") == datetime(2025, 3, 30, 5, tzinfo=UTC)
    assert quiet_until(channel, autumn, "UTC") == datetime(2025, 10, 26, 6, tzinfo=UTC)
    assert quiet_until(slack(quiet="22:00-02:30", tz="Europe/Berlin"), spring, "UTC") == datetime(
        2025, 3, 30, 1, tzinfo=UTC
    )
