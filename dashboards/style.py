"""How the page looks: colours, words and marks of the levels, and the few rules of style that Streamlit lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from shipcast.answers.words import LEVEL_MARKS
from shipcast.scheduling.recommend import LEVELS as BOUNDS

INK, MUTED, RULE, PAPER, ACCENT = "#1B2733", "#4A5968", "#D8DEE4", "#FFFFFF", "#0B5A9C"
HATCH = "#8A949E"
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4])


@dataclass(frozen=True)
class Look:
    """A level as it is shown: never by its colour alone."""

    word: str
    mark: str
    fill: str
    text: str
    bounds: str


def looks() -> tuple[Look, ...]:
    bounds = [bound for bound, _ in BOUNDS]
    said = [f"below {bounds[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(bounds))]
    return tuple(
        Look(word, LEVEL_MARKS[word], fill, text, bound)
        for (word, fill, text), bound in zip(
            (
                ("calm", "#1F5FA8", "#FFFFFF"),
                ("fair", "#7FB2DC", INK),
                ("moderate", "#F2EBDD", INK),
                ("rough", "#F0A35E", INK),
                ("storm", "#A63C06", "#FFFFFF"),
            ),
            (*said, f"{bounds[-1]:g} and above"),
            strict=True,
        )
    )


LEVELS: Mapping[str, Look] = {look.word: look for look in looks()}
THEME: Mapping[str, Any] = {
    "theme.base": "light",
    "theme.primaryColor": ACCENT,
    "theme.backgroundColor": PAPER,
    "theme.secondaryBackgroundColor": "#F3F6F9",
    "theme.textColor": INK,
    "theme.linkColor": ACCENT,
}
LOGO = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" role="img" aria-label="Shipcast">
<path d="M4 22h24l-4 7H8zM15 3v16H6zM17 7v12h9z" fill="{ACCENT}"/>
<text x="38" y="24" font-family="sans-serif" font-size="21" font-weight="600" fill="{INK}">Shipcast</text></svg>"""
CSS = f"""
<style>
  [data-testid="stMainBlockContainer"] {{ padding: 3.5rem 3rem 3rem; }}
  .sc-eyebrow {{ color: {MUTED}; font-size: .95rem; margin: 0; }}
  .sc-headline {{ font-size: 1.55rem; line-height: 1.3; font-weight: 600; margin: .1rem 0 .4rem; padding: 0;
    overflow-wrap: anywhere; }}
  .sc-title {{ font-size: 1.1rem; font-weight: 600; margin: 0; padding: 0; }}
  .sc-note {{ color: {MUTED}; font-size: .9rem; margin: .2rem 0; overflow-wrap: anywhere; }}
  .sc-text {{ margin: .2rem 0; overflow-wrap: anywhere; }}
  .sc-simulated {{ border: 1px solid {INK}; border-left-width: 6px; padding: .3rem .7rem; margin: 0; }}
  .sc-value {{ font-size: 1.7rem; font-weight: 600; margin: 0; }}
  .sc-line {{ display: block; height: 40px; margin: .3rem 0 0; width: 100%; }}
  .sc-chip {{ border: 1px solid {RULE}; border-radius: 1rem; padding: .1rem .6rem; font-size: .85rem; }}
  .sc-scroll {{ container-type: inline-size; overflow-x: auto; }}
  .sc-table {{ border-collapse: collapse; font-size: .9rem; width: 100%; }}
  .sc-table caption {{ text-align: left; color: {MUTED}; padding: .2rem 0; }}
  .sc-table caption span {{ display: inline-block; left: 0; max-width: 100cqw; position: sticky; }}
  .sc-table th, .sc-table td {{ text-align: left; padding: .25rem .6rem; border-bottom: 1px solid {RULE};
    vertical-align: top; max-width: 28rem; }}
  .sc-prose {{ display: inline-block; min-width: 12rem; }}
  .sc-whole {{ white-space: nowrap; }}
  .sc-long, .sc-table a {{ overflow-wrap: anywhere; }}
  .sc-table td.sc-number, .sc-table th.sc-number {{ text-align: right; font-variant-numeric: tabular-nums;
    white-space: nowrap; }}
  .sc-table a {{ color: {ACCENT}; }}
  .sc-level {{ border-radius: .25rem; padding: 0 .4rem; white-space: nowrap; }}
  .sc-empty {{ border: 1px dashed {HATCH}; border-radius: .4rem; padding: .8rem 1rem; }}
  .sc-empty.sc-none {{ border-style: solid; }}
  .sc-empty code, .sc-note code, .sc-text code {{ overflow-wrap: anywhere; white-space: pre-wrap; }}
  .sc-code {{ background: #F3F6F9; border: 1px solid {RULE}; border-radius: .4rem; font-size: .85rem; margin: .2rem 0;
    overflow-x: auto; padding: .6rem .8rem; user-select: all; }}
  [role="spinbutton"][contenteditable] {{ display: inline-block; min-height: 24px; min-width: 24px; line-height: 24px;
    text-align: center; }}
  [data-testid="stPageLink"] p {{ color: {ACCENT}; text-decoration: underline; }}
  a:focus-visible, button:focus-visible, pre:focus-visible {{ outline: 3px solid {ACCENT}; outline-offset: 2px; }}
  @media (max-width: 640px) {{
    [data-testid="stMainBlockContainer"] {{ padding: 3.5rem 1rem 2rem; }}
    .sc-headline {{ font-size: 1.35rem; }}
    [data-test-wrap="true"] > [data-testid="stElementContainer"] {{ flex-grow: 1; max-width: 100%; }}
    .st-key-filters > [data-testid="stElementContainer"] {{ flex-basis: 8rem; min-width: 0; width: auto; }}
    .sc-table {{ min-width: 100%; width: max-content; }}
    .sc-table th, .sc-table td {{ max-width: 14rem; }}
    .st-key-dense [data-testid="stFullScreenFrame"] {{ overflow-x: auto; }}
    .st-key-dense [data-testid="stFullScreenFrame"] > div {{ min-width: 36rem; }}
  }}
</style>
"""
