"""Ways from page to page; what a page is asked about goes along in the address."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from shipcast.answers.words import cut
from shipcast.dashboards.cards import LONGEST_TEXT, Html
from shipcast.dashboards.filters import KEYS

GOING, PAGES = "going", "pages"


def remember(pages: dict[str, Any]) -> None:
    """What pages there are, by their paths."""
    st.session_state[PAGES] = pages


def link(path: str, words: str, **given: str) -> None:
    """A link to a page, where there is one of that path; filters that are set go along, and are not set anew."""
    pages = st.session_state.get(PAGES, {})
    if path in pages:
        unset = {key: value for key, value in given.items() if key not in st.query_params}
        st.page_link(pages[path], label=words, query_params=unset)


def cell(path: str, words: str, **given: str) -> Html:
    """A link as a cell of a table; filters that are set go along, but for those set anew."""
    set_already = {key: value for key, value in st.query_params.items() if key in KEYS}
    target = f"{path}?{urlencode({**set_already, **given})}"
    return Html(f'<a href="{escape(target)}" target="_self">{escape(cut(words, LONGEST_TEXT))}</a>')


def go(path: str, **given: str) -> None:
    """From a callback: draw that page next, filters set as given, and whatever else is given in its address."""
    for key, value in given.items():
        if key in KEYS:
            st.session_state[key] = value
    st.session_state[GOING] = path, {key: value for key, value in given.items() if key not in KEYS}


def gone() -> None:
    """Go where a callback wanted."""
    path, given = st.session_state.pop(GOING, (None, {}))
    pages = st.session_state.get(PAGES, {})
    if path in pages:
        st.switch_page(pages[path], query_params=given)
