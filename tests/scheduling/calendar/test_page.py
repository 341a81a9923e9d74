"""What the page about calendars says of its examples is so."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from shipcast.scheduling.calendar.reading import read_calendar
from shipcast.scheduling.calendar.scope import Subject

PAGE = (Path(__file__).parents[3] / "docs" / "calendar.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```toml\n(.*?)```\s+```text\n(.*?)```", flags=re.DOTALL)
SAID = re.compile(r"(\w+)(?: in (\S+))?(?:, (emergency))?, (\S+)Z to (\S+)Z: (\S+) by (\S+)")
EXAMPLES = EXAMPLE.findall(PAGE)


def test_there_are_examples_of_each_rule_that_decides():
    assert all(
        any(f"[[{kind}]]" in text for text, _ in EXAMPLES)
        for kind in ("window", "freeze", "holidays", "business_hours")
    )


@pytest.mark.parametrize(
    ("text", "lines"), EXAMPLES, ids=[re.findall(r'id = "(.*?)"', text)[0] for text, _ in EXAMPLES]
)
def test_an_example_decides_as_the_page_says(text, lines, tmp_path):
    (tmp_path / "calendar.toml").write_text(text)
    calendar = read_calendar(tmp_path / "calendar.toml")

    for line in lines.strip().splitlines():
        service, regions, change_type, start, end, decision, rule = SAID.fullmatch(line).groups()
        subject = Subject(
            service, regions=tuple((regions or "").split(",")) if regions else (), change_type=change_type
        )
        found = calendar.decide(subject, datetime.fromisoformat(start), datetime.fromisoformat(end))

        assert (found.decision, found.rule) == (decision, rule), line
