"""Glossary: every metric in words, with its formula, what it leaves out, and where it misleads."""

from __future__ import annotations

from functools import partial

from shipcast.answers.definitions import Definition, definitions
from shipcast.answers.words import plural
from shipcast.dashboards import cards
from shipcast.dashboards.view import View

TITLE, PATH = "Glossary", "glossary"


def draw(view: View) -> None:
    found = view.ask(definitions)
    cards.headline(f"{plural(len(found), 'metric')}, each in words, with its formula and where it misleads.")
    for one in found:
        with cards.card(one.title):
            metric(one)
    with cards.card("Levels of a window"):
        cards.text("What a change would cost at a time, over what the same change costs in the mean of the week.")
        cards.legend()


def metric(one: Definition) -> None:
    cards.text(one.definition)
    said = {"Counted": one.numerator, "Out of": one.denominator, "Left out": one.left_out, "Weakness": one.weakness}
    for name, words in said.items():
        if words:
            cards.note(f"{name}: {words}")
    cards.folded("The query that counts it", f"query-{one.metric}", partial(cards.code, one.query))
