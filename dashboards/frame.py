"""The frame of every page: navigation, filters, how old the data is, and what is wrong with the home."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import ModuleType

import streamlit as st

from shipcast.answers.choices import choices
from shipcast.answers.reading import Reader
from shipcast.answers.source import Source
from shipcast.answers.words import age, local_time
from shipcast.dashboards import cards, links
from shipcast.dashboards.filters import asked_at, bar, chosen
from shipcast.dashboards.pages import (
    data_health,
    delivery,
    deployment,
    environments,
    failures,
    forecast_quality,
    glossary,
    outlook,
    release,
    shared_calendar,
    trained_models,
    why,
)
from shipcast.dashboards.served import drawing, served
from shipcast.dashboards.style import CSS, LOGO
from shipcast.dashboards.view import View, source
from shipcast.settings.errors import ShipcastError, UsageError
from shipcast.warehouse.errors import NothingPublished
from shipcast.warehouse.snapshot import current

ALL = (
    *(outlook, release, shared_calendar, why),
    *(delivery, failures, environments),
    *(forecast_quality, trained_models, data_health, glossary),
    deployment,
)
PAGES: Mapping[str, ModuleType] = {page.PATH: page for page in ALL}
LINKED_ONLY = (deployment,)  # pages that nobody goes to but from a page that names what they are about
LOOK_AGAIN = "60s"


@drawing()
def draw() -> None:
    """The whole page: the frame first, since what is drawn outside of pages keeps its place in the address."""
    st.set_page_config(page_title="Shipcast", layout="wide", initial_sidebar_state="auto")
    st.html(CSS)
    st.logo(LOGO, size="large")
    frame, first = Frame(), next(iter(PAGES))
    linked = {
        path: st.Page(
            partial(frame.draw, page),
            title=page.TITLE,
            url_path=path,
            default=path == first,
            visibility="hidden" if page in LINKED_ONLY else "visible",
        )
        for path, page in PAGES.items()
    }
    links.remember(linked)
    chosen_page = st.navigation(list(linked.values()))
    links.gone()
    frame.open(chosen_page.title)
    chosen_page.run()


class Frame:
    """What surrounds a page, and what the page is drawn from; null: nothing can be read, and that was said."""

    view: View | None = None

    def open(self, title: str) -> None:
        row, zone = bar(), served().settings.tz
        try:
            found = source(served().settings, asked_at(row, zone) or served().as_of)
            known = found.ask(choices)
            if known.is_simulated:
                cards.text("Simulated data: this company does not exist.", "simulated")
            filters = chosen(row, known, zone, found.as_of)
        except UsageError as error:
            refused(title, error)
            return
        except ShipcastError as error:
            nothing_to_read(title, error)
            return
        freshness(found, filters.zone)
        if filters.left_out:
            cards.note(filters.left_out)
        self.view = View(found, filters, known)

    def draw(self, page: ModuleType) -> None:
        """One page."""
        st.set_page_config(page_title=f"{page.TITLE} · Shipcast")
        if self.view is not None:
            with cards.answering(page.TITLE), cards.guarded():
                page.draw(self.view)


def refused(title: str, error: UsageError) -> None:
    """A page that is asked what cannot be, by what stands in its filters."""
    cards.title(title)
    cards.headline("This cannot be asked.")
    cards.empty(f"{error.detail} Change it in the filters above.")


def nothing_to_read(title: str, error: ShipcastError) -> None:
    """A page without a snapshot: what is missing or broken, and what mends it."""
    cards.title(title)
    if isinstance(error, NothingPublished):
        cards.headline("Nothing is published here yet.")
        cards.empty(
            "Load your own data with `shipcast ingest files DIR`, then `shipcast build`; or see a simulated company "
            "with `shipcast demo`. This page shows it as soon as it is published."
        )
        return
    cards.headline("The data cannot be read at the moment.")
    cards.empty(f"{error.detail} {error.next_step or ''} `shipcast doctor` says what is wrong and what mends it.")


def freshness(found: Source, zone: str) -> None:
    """How old the data is; and, looking again once a minute, whether there is newer."""
    data_as_of = found.ask(newest)
    asked = local_time(found.as_of, zone, found.as_of)
    if data_as_of is None:
        said = f"Nothing was known at {asked} ({zone})."
    else:
        old = age(found.as_of - data_as_of)
        said = f"Data as of {local_time(data_as_of, zone, found.as_of)}, {old} old; asked at {asked} ({zone})."
    cards.text(said, "note")
    look_again(found.snapshot.snapshot_id, [])


def newest(reader: Reader) -> datetime | None:
    return reader.data_as_of


@st.fragment(run_every=LOOK_AGAIN)
def look_again(snapshot_id: str, looks: list[str]) -> None:
    """Draw the page anew where another snapshot has been published since.

    Not at the first look, which is part of a drawing: publications that come faster would let none end.
    """
    looks.append(snapshot_id)
    try:
        if len(looks) > 1 and current(served().settings.home).snapshot_id != snapshot_id:
            st.rerun()
    except ShipcastError:
        pass  # it is said where the page is drawn the next time
