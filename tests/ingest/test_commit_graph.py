"""Which commit brought which, against git's own answers on histories of any shape."""

import pytest
from examples import examples
from histories import History, git
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipcast.ingest.commit_graph import commit_graph
from shipcast.ingest.repository import opened


def graph_of(path, tips=()):
    with opened(path, path.parent) as repository:
        return commit_graph(repository, repository.tip(), tips)


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "code")


def brought(history):
    """The marks of the commits that each position of the main line brought, itself left out."""
    graph = graph_of(history.save())
    marks = {history.sha(mark): mark for mark in range(1, history.count + 1)}
    found = {position: set() for position in range(1, len(graph.mainline) + 1)}
    for number, position in enumerate(graph.positions):
        if position and number != graph.mainline[position - 1]:
            found[position].add(marks[graph.sha(number)])
    return found


def test_an_octopus_merge_brings_what_all_its_branches_gathered(history):
    base = history.commit({"a": "0"})
    arms = [history.commit({name: "1"}, onto=name, parents=[base]) for name in "bcd"]
    more = history.commit({"d": "2"}, onto="d")
    history.commit({"e": "1"}, parents=[base, arms[0], arms[1], more])

    assert brought(history) == {1: set(), 2: {*arms, more}}


def test_branches_that_merged_each_other_are_brought_once(history):
    base = history.commit({"a": "0"})
    left = history.commit({"l": "1"}, parents=[base])
    right = history.commit({"r": "1"}, onto="side", parents=[base])
    crossed = history.commit({"r": "2"}, onto="side", parents=[right, left])
    history.commit({"l": "2"}, parents=[left, right])
    history.commit({"l": "3"}, parents=[5, crossed])

    assert brought(history) == {1: set(), 2: set(), 3: {right}, 4: {crossed}}


def test_a_history_without_common_beginnings_is_brought_by_the_merge_that_joined_it(history):
    history.commit({"a": "0"})
    other = history.commit({"b": "0"}, onto="other", parents=[])
    history.commit({"b": "1"}, parents=[1, other])

    assert brought(history) == {1: set(), 2: {other}}


SHAPES = st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(1, 30), max_size=3)), min_size=2, max_size=14)


def grown(history, shape):
    """Commits of the shape: each goes onto one of three branches and merges some of the commits before it."""
    for branch, others in shape:
        name = "main" if branch == 0 or not history.count else f"side{branch}"
        first = history.tips.get(name, history.count)
        parents = dict.fromkeys([first, *(1 + other % history.count for other in others)]) if history.count else {}
        history.commit({f"f{history.count}": "x"}, onto=name, parents=list(parents))


@given(shape=SHAPES)
@settings(max_examples=examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_git_itself_says_the_same_of_any_history(shape, tmp_path_factory):
    history = History(tmp_path_factory.mktemp("code") / "code")
    grown(history, shape)
    for mark in range(1, history.count + 1):
        history.tag(f"t{mark}", mark)
    path = history.save()
    shas = {mark: history.sha(mark) for mark in range(1, history.count + 1)}
    graph = graph_of(path, shas.values())

    def told(*arguments):
        return git(*arguments, at=path).decode().split()

    mainline = told("rev-list", "--first-parent", "--reverse", "main")
    assert [graph.sha(number) for number in graph.mainline] == mainline
    for sha in shas.values():
        number = graph.number(sha)
        holding = {name.removeprefix("t") for name in told("tag", "--contains", sha)}
        on_mainline = [place for place, main in enumerate(mainline, 1) if main in {shas[int(m)] for m in holding}]
        held = [place for place, main in enumerate(mainline, 1) if main in told("rev-list", sha)]
        assert graph.positions[number] == min(on_mainline, default=0)
        assert graph.reach[number] == max(held, default=0)
        if graph.is_merge(number):
            own = told("rev-list", sha, f"^{sha}^1")
            assert {graph.sha(other) for other in graph.brought_by(number)} == {*own} - {sha}
