"""Ways from page to page; what a page is asked about goes along in the address."""

from __future__ import annotations

from typing import Any

import streamlit as st

from shipcast.dashboards.filters import KEYS


def address(**given: str) -> dict[str, Any]:
    """The filters that are set, and what is given; a filter that is given goes first."""
    kept = {key: value for key, value in st.query_params.items() if key in (*KEYS, "as_of")}
    return {**kept, **given}


def link(path: str, words: str, key: str, **given: str) -> None:
    """A link to a page, where there is one of that path."""
    pages = st.session_state.get("pages", {})
    if path in pages:
        st.page_link(pages[path], label=words, query_params=address(**given))


def to_page(path: str, **given: str) -> None:
    """Go there at once."""
    pages = st.session_state.get("pages", {})
    if path in pages:
        st.switch_page(pages[path], query_params=address(**given))
