"""What else could be done with a change: each alternative costs what `windows` says of it when asked alone."""

from datetime import timedelta

import pytest
from test_windows import AS_OF, HALF_HOUR, company

from shipcast.answers.reading import open_reader
from shipcast.answers.windows import windows

DAY = timedelta(days=1)
LARGE = 400


@pytest.fixture(scope="module")
def home(built_once):
    return built_once("company", company())


def ask(home, **more):
    with open_reader(home, AS_OF) as reader:
        return windows(reader, "pay", duration=HALF_HOUR, **{"lines": LARGE, **more})


@pytest.fixture(scope="module")
def answer(home):
    return ask(home, what_if=True)


def test_they_are_told_only_where_they_are_asked_for(home, answer):
    assert ask(home).alternatives == ()
    assert [one.what for one in answer.alternatives] == ["wait a day", "half the size", "split in two"]
    assert answer.model_copy(update={"alternatives": (), "generated_at": None}) == ask(home).model_copy(
        update={"generated_at": None}
    )


def test_waiting_a_day_is_the_best_window_from_then_on(home, answer):
    waited = answer.alternatives[0]
    later = ask(home, earliest=AS_OF + DAY, top=1).items[0]

    assert (waited.starts, waited.lines) == ((later.start,), LARGE)
    assert waited.expected_cost == later.expected_cost
    assert waited.relative_to_best == pytest.approx(later.expected_cost / answer.items[0].expected_cost)


def test_half_the_size_is_the_best_window_of_such_a_change(home, answer):
    halved = answer.alternatives[1]
    small = ask(home, lines=LARGE // 2, top=1).items[0]

    assert (halved.starts, halved.lines, halved.expected_cost) == ((small.start,), 200, small.expected_cost)
    assert halved.failure_probability == pytest.approx(small.failure_probability, rel=1e-12)
    assert halved.relative_low <= halved.relative_to_best <= halved.relative_high < 1


def test_two_halves_run_apart_and_cost_both(home, answer):
    split, half = answer.alternatives[2], answer.alternatives[1]
    first, second = split.starts

    assert second - first >= HALF_HOUR
    assert half.starts[0] in split.starts
    costs = [ask(home, lines=200, earliest=start, latest=start + HALF_HOUR).items[0] for start in split.starts]
    assert split.expected_cost == pytest.approx(sum(one.expected_cost for one in costs))
    assert max(one.failure_probability for one in costs) < split.failure_probability
    assert split.failure_probability < sum(one.failure_probability for one in costs)


def test_what_is_not_allowed_is_no_alternative(home):
    path = home.home / "one.toml"
    path.write_text('[[window]]\nid = "once"\nkind = "allow"\ndates = ["2025-06-02T20:00"]\nminutes = 30\ntz = "UTC"\n')

    found = ask(home, what_if=True, calendar_file=path)

    assert [one.what for one in found.alternatives] == ["half the size"]
    assert found.alternatives[0].starts == (AS_OF.replace(hour=20, minute=0),)
