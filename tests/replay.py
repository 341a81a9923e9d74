"""What dbt says to the database in a build, recorded once and said again to small databases, on disk or in memory.

Starting dbt costs seconds, its statements cost hundredths of one: so hundreds of small worlds can be built. That a home
built so is what `build` makes, tests/dbt_project/test_marts.py holds.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import duckdb
import polars as pl

from shipcast.settings import Settings
from shipcast.warehouse.connection import create_raw, open_built
from shipcast.warehouse.dbt_process import SILENT
from shipcast.warehouse.statements import parsed
from shipcast.warehouse.transform import PROJECT, finished, limits, prepare_build, setting_rows

# Builds a home in full, then adds to it: dbt is started once for both, which costs more than either.
RECORDER = """
import gc, json, sys
gc.disable()
from pathlib import Path
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.sql.connections import SQLConnectionManager
from dbt.cli.main import dbtRunner
from shipcast.settings import Settings
from shipcast.warehouse.dbt_process import pass_over_what_is_not_told, take_our_files_for_valid
from shipcast.warehouse.transform import UNCHANGED, prepare_build

said, home = SQLConnectionManager.add_query, Path(sys.argv[1])
take_our_files_for_valid()
for name, since, options in (("full", None, ["--full-refresh"]), ("partial", 0, UNCHANGED)):
    statements = []

    def add_query(self, sql, *arguments, **more):
        statements.append(sql)
        return said(self, sql, *arguments, **more)

    SQLConnectionManager.add_query = add_query
    prepare_build(Settings(home=home), since)
    pass_over_what_is_not_told()
    done = dbtRunner().invoke(["build", *options, *sys.argv[2:]])
    assert done.success, (done.exception, [result.message for result in done.result or ()])
    DuckDBConnectionManager.close_all_connections()
    (home / f"{name}.json").write_text(json.dumps(statements))
"""


def record(home):
    """Make a home by a build in full and one that adds to it; its folder `dbt` then holds the parsed models."""
    folders = ["--target-path", str(home / "dbt" / "target"), "--log-path", str(home / "dbt" / "logs"), *SILENT]
    project = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--exclude-resource-type", "unit_test"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", RECORDER, str(home), *project, *folders],
        cwd=home, env={**os.environ, **limits(Settings(home=home), is_full=True)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("compiled", "run"):
        shutil.rmtree(home / "dbt" / "target" / name)  # no home needs them, and homes are copied


def recorded(home, name):
    """The statements of a recorded build, `full` or `partial`, in order."""
    statements = json.loads((home / f"{name}.json").read_text(encoding="utf-8"))
    return [statement for statement in statements if is_test(statement) or not ASIDE.search(statement)]


ASIDE = re.compile(r"^\s*(/\*.*?\*/\s*)?(begin|commit|select)\b", re.IGNORECASE | re.DOTALL)


def is_test(statement):
    return "as should_error" in statement


def replay(connection, statements):
    """Say the statements of a build again; no test of theirs may fail."""
    for statement in statements:
        answer = connection.execute(parsed(statement))
        if is_test(statement):
            assert answer.fetchone()[0] == 0, statement


def without_tests(statements):
    """The statements that build, without those that look whether what was built is right."""
    return [statement for statement in statements if not is_test(statement)]


RELATION = re.compile(r'"\w+"\."\w+"\."(\w+?)(?:__dbt_\w+)?"')


def only(statements, *marts):
    """Those of the statements that these marts take, without tests."""
    wanted, kept = set(marts), []
    for statement in reversed(without_tests(statements)):
        made, *used = RELATION.findall(statement) or marts
        if made in wanted:
            wanted.update(used)
            kept.append(statement)
    return kept[::-1]


def replay_build(settings, full_build):
    """What `build` does for a home of which nothing is built, but that dbt is not started; the rows of each mart.

    On one thread: more would wait for each other, since every statement is over in hundredths of a second.
    """
    load_id = prepare_build(settings, None)
    with open_built(settings.home) as connection:
        connection.execute("set preserve_insertion_order = false")
        connection.execute("set threads = 1")
        replay(connection, full_build)
    return finished(settings.home, load_id)


class World:
    """A home in memory: raw rows, and what recorded builds make of them."""

    def __init__(self, settings):
        self.connection = duckdb.connect(config={"threads": 1})
        for name in ("work", "marts"):
            self.connection.execute(f"attach ':memory:' as {name}")
        self.connection.execute("use work")
        self.connection.execute("set TimeZone = 'UTC'")
        create_raw(self.connection)
        self.connection.execute("create table raw._settings (name varchar, value varchar)")
        self.connection.executemany("insert into raw._settings values (?, ?)", setting_rows(settings))
        self.load_id = 0

    def load(self, tables):
        """Rows by table, each with the columns of its key, in the places of those with their keys: one load."""
        self.new_load()
        for name, rows in tables.items():
            for key, _ in rows[:1]:
                same = " and ".join(f'old."{column}" is not distinct from given."{column}"' for column in key)
                given = [{**dict.fromkeys(key), **row} for _, row in rows]
                self.insert(name, given, f"delete from raw.{name} as old using given where {same}")

    def fill(self, tables):
        """Rows by table into a home that knows nothing: one load."""
        self.new_load()
        for name, rows in tables.items():
            self.insert(name, rows)

    def new_load(self):
        self.load_id += 1
        self.connection.execute("insert into raw._loads (load_id) values (?)", [self.load_id])

    def insert(self, name, rows, *before):
        """Rows into a raw table, after other statements that may look at them as `given`."""
        frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
            _file=pl.lit(name), _line=pl.int_range(1, pl.len() + 1), _load_id=self.load_id, _changed_id=self.load_id
        )
        self.connection.register("given", frame)
        for statement in (*before, f"insert into raw.{name} by name select * from given"):
            self.connection.execute(statement)
        self.connection.unregister("given")

    def build(self, statements, since=None):
        """Say the statements of a build again, since a load for one that adds to what was built."""
        self.connection.execute("delete from raw._settings where name = 'built_load_id'")
        if since is not None:
            self.connection.execute("insert into raw._settings values ('built_load_id', ?)", [str(since)])
        replay(self.connection, statements)

    def clear(self):
        """Take away all that was built."""
        for schema in ("staging", "intermediate"):
            self.connection.execute(f"drop schema if exists {schema} cascade")
        self.connection.execute("detach marts")
        self.connection.execute("attach ':memory:' as marts")

    def built(self):
        """Every built table's rows as text, in an order of their own; without what only one way of building has."""
        tables = self.connection.execute(
            "select database_name, schema_name, table_name from duckdb_tables() where schema_name in "
            "('intermediate', 'main') and not temporary and not regexp_matches(table_name, "
            "'_before$|^int_(touched|changed)_|^int_settings$')"
        ).fetchall()
        query = (
            "select t::varchar from (select columns(lambda name: name <> 'built_at') from {}.{}.\"{}\") t order by all"
        )
        return {table: self.connection.execute(query.format(*table)).fetchall() for table in sorted(tables)}
