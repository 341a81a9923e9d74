"""Queries that are parsed once, for every connection."""

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from shipcast.warehouse.statements import bound

TWICE = "select i + $more from {table} where i >= $least order by i"


def test_any_connection_of_any_thread_executes_a_query_with_values_of_its_own():
    def answers(place):
        with duckdb.connect() as connection:
            connection.execute(f"create table t as select {place} + range as i from range(3)")
            said = [bound(TWICE.format(table="t"), {"more": 10 * more, "least": place + 1}) for more in range(50)]
            return [connection.execute(*one).fetchall() for one in said]

    with ThreadPoolExecutor(4) as workers:
        found = list(workers.map(answers, range(8)))

    assert found == [[[(place + 1 + 10 * more,), (place + 2 + 10 * more,)] for more in range(50)] for place in range(8)]


def test_of_the_values_given_only_those_are_bound_that_the_query_names():
    assert bound("select $a", {"a": 1, "b": 2})[1] == {"a": 1}


def test_a_value_that_is_named_but_not_given_is_an_error():
    with pytest.raises(KeyError, match="least"):
        bound(TWICE.format(table="t"), {"more": 1})


@pytest.mark.parametrize("query", ["selec 1", "select 1; select 2", ""])
def test_what_is_not_one_statement_is_an_error(query):
    with pytest.raises((duckdb.Error, ValueError)):
        bound(query, {})
