"""What pages are laid out from: text that is never read as markup, cards that break alone, tables, charts."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from html import escape, unescape
from typing import TYPE_CHECKING, Any

import streamlit as st

from shipcast.answers.words import cut
from shipcast.dashboards.style import LEVELS
from shipcast.settings.errors import ShipcastError

if TYPE_CHECKING:
    from shipcast.dashboards.charts.style import Spec

LOG = logging.getLogger("shipcast.dashboards")
LONGEST_TABLE = 200
TIME = re.compile(r"\w{3} \d{1,2} \w{3}( \d{4})? \d\d:\d\d")  # as `local_time` says it
LONGEST_WORD, PROSE, LONGEST_TEXT, LONGEST_PARAGRAPH = 24, 40, 300, 2_000
TAG = re.compile(r"<[^>]*>")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def text(words: str, kind: str = "text") -> None:
    """A paragraph, as it is: nothing in it is read as HTML or Markdown."""
    st.html(f'<p class="sc-{kind}">{marked(words)}</p>')


def note(words: str) -> None:
    text(words, "note")


def marked(words: str) -> str:
    """Text as HTML, what stands between backquotes as code.

    >>> marked("run `shipcast build`, <b>")
    'run <code>shipcast build</code>, &lt;b&gt;'
    """
    parts = escape(cut(words, LONGEST_PARAGRAPH)).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def code(lines: str) -> None:
    """Lines to copy, all of which one click selects."""
    st.html(f'<pre class="sc-code" tabindex="0">{escape(lines)}</pre>')


def title(words: str) -> None:
    """What a page is."""
    text(words, "eyebrow")


def headline(sentence: str) -> None:
    """The one sentence of a page, which is its heading."""
    st.html(f'<h1 class="sc-headline">{escape(cut(sentence, 600))}</h1>')


@contextmanager
def answering(words: str) -> Iterator[None]:
    """What the page is, which stands there at once; and beside it, while it is worked out, that it is."""
    with ExitStack() as ends:
        with st.container(horizontal=True, vertical_alignment="center"):
            title(words)
            ends.enter_context(st.spinner("Working it out"))
        yield


@contextmanager
def card(title: str) -> Iterator[None]:
    """A part of the page with a heading; what breaks in it is said there, and hides nothing else."""
    with st.container(border=True):
        st.html(f'<h2 class="sc-title">{escape(title)}</h2>')
        with guarded():
            yield


@contextmanager
def guarded() -> Iterator[None]:
    """Within the block, an error becomes words on the page, and a bug one line of log; no trace is shown."""
    try:
        yield
    except ShipcastError as error:
        refused(error)
    except Exception:
        LOG.exception("A part of the page could not be drawn.")
        empty("This part could not be drawn. It is a fault of the page; the log of `shipcast dashboard` says which.")


def refused(error: ShipcastError) -> None:
    empty(" ".join(filter(None, (error.detail, *error.lines, error.next_step))))


def empty(words: str, kind: str = "unknown") -> None:
    """Why there is nothing to show: `none` happened, nothing is `unknown`, or all is `filtered` away."""
    st.html(f'<div class="sc-empty sc-{kind}" data-empty="{kind}"><p class="sc-text">{marked(words)}</p></div>')


def filtered_away(words: str) -> None:
    """Nothing is left by the filters; a button clears them."""
    empty(words, "filtered")
    st.button("Clear the filters", on_click=clear_filters, key=f"clear-{words}")


def clear_filters() -> None:
    for key in ("service", "team", "environment"):
        st.session_state[key] = "production" if key == "environment" else "All"


def notes(warnings: Sequence[str]) -> None:
    """What the reader should know about an answer, once each."""
    if warnings:
        items = "".join(f"<li>{marked(words)}</li>" for words in dict.fromkeys(warnings))
        st.html(f'<ul class="sc-note">{items}</ul>')


def level(word: str | None) -> str:
    """A level as HTML: its mark, its word, its colour."""
    if word is None:
        return "not known"
    look = LEVELS[word]
    style = f"background:{look.fill};color:{look.text}"
    return f'<span class="sc-level" style="{style}"><span aria-hidden="true">{look.mark}</span> {look.word}</span>'


def legend() -> None:
    """The levels with their bounds: the cost against the usual one."""
    parts = " ".join(f"{level(word)} {look.bounds}" for word, look in LEVELS.items())
    st.html(f'<p class="sc-note">Cost against the usual: {parts}</p>')


class Html(str):
    """A cell that is HTML already."""


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    caption: str,
    numbers: Sequence[str] = (),
    download: str | None = None,
) -> None:
    """A table of at most 200 rows, and the whole of it as CSV where a file name is given."""
    if not rows:
        return
    shown = rows[:LONGEST_TABLE]
    some = f"{caption.removesuffix('.')}: the first {len(shown)} of {len(rows):,}"
    said = caption if len(shown) == len(rows) else some
    st.html(table_html(columns, shown, said, numbers))
    if download:
        csv_button(columns, rows, download)


def table_html(
    columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str, numbers: Sequence[str] = ()
) -> str:
    kinds = [' class="sc-number"' if name in numbers else "" for name in columns]
    head = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell(value)}</td>" for value, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="sc-scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="sc-table">'
        f"<caption><span>{escape(caption)}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def cell(value: object) -> str:
    """A value as HTML; words too long for a column may be broken anywhere, others only where they end, a time nowhere.

    >>> cell("Tue 1 Dec 07:00")
    '<span class="sc-whole">Tue 1 Dec 07:00</span>'
    >>> cell(0.5), cell("usual 100 %; failure chance -20, restore time +20")
    ('0.5', '<span class="sc-prose">usual 100 %; failure chance -20, restore time +20</span>')
    """
    if value is None or isinstance(value, Html):
        return value or ""
    shown = cut(str(value), LONGEST_TEXT)
    is_long = max((len(word) for word in shown.replace("-", " ").split()), default=0) > LONGEST_WORD
    kind = "sc-long" if is_long else "sc-prose" if len(shown) > PROSE else "sc-whole" if TIME.fullmatch(shown) else ""
    return f'<span class="{kind}">{escape(shown)}</span>' if kind else escape(shown)


def csv_button(columns: Sequence[str], rows: Sequence[Sequence[object]], name: str) -> None:
    """A button that gives the rows as a file; what a spreadsheet would run is made text."""
    st.download_button(
        "CSV",
        lambda: csv_text(columns, rows).encode("utf-8"),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"csv-{name}",
        on_click="ignore",
        help=f"What is shown, as {name}.csv",
    )


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """
    >>> csv_text(["service", "n"], [["=cmd()", 3], ["-1+2", None]])
    "service,n\\r\\n'=cmd(),3\\r\\n'-1+2,\\r\\n"
    >>> csv_text(["level"], [[Html(level("calm"))]])
    'level\\r\\n○ calm\\r\\n'
    """
    file = io.StringIO()
    writer = csv.writer(file)
    for row in (columns, *rows):
        writer.writerow([harmless(value) for value in row])
    return file.getvalue()


def harmless(value: object) -> object:
    """The value; text that a spreadsheet would take for a formula with an apostrophe before it."""
    if value is None or isinstance(value, int | float):
        return value
    words = unescape(TAG.sub("", value)).strip() if isinstance(value, Html) else str(value)
    return f"'{words}" if words.startswith(FORMULA) else words


def chart(
    drawn: Spec,
    summary: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    name: str,
    numbers: Sequence[str] = (),
    **options: Any,
) -> None:
    """A chart with its summary in words, and its numbers as a table and a file for whoever would rather have these."""
    note(summary)
    picture(drawn, summary, f"chart-{name}", **options)
    folded("The same as a table", f"table-{name}", partial(table, columns, rows, summary, numbers, download=name))


@st.fragment
def folded(title: str, key: str, draw: Callable[[], None]) -> None:
    """A part that is drawn when the reader opens it, and then alone; what breaks in it is said there."""
    with st.expander(title, key=key, on_change="rerun") as fold:
        if fold.open:
            with guarded():
                draw()


def picture(drawn: Spec, alt: str, key: str, **options: Any) -> None:
    """A chart alone; `alt` says what it shows."""
    st.vega_lite_chart(spec=drawn, alt=alt, theme=None, key=key, **options)
