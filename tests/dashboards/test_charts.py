"""Charts as they are written."""

import re
from pathlib import Path

from shipcast.dashboards import charts

BARE = re.compile(r'[\w"]+ ?[=:] ?"\w+:[QNTO]"|[\[,]\s*"\w+:[QNTO]"|alt\.(?:value|condition)\(')


def test_no_encoding_is_a_word_or_a_value_for_which_altair_would_read_its_schema_anew():
    assert (
        len(BARE.findall('tooltip=["when:N", alt.Tooltip("said:N")], x2="until:T", "x": "hour:T", y=alt.value(0)')) == 4
    )

    found = {path.name: BARE.findall(path.read_text("utf-8")) for path in Path(charts.__file__).parent.glob("*.py")}

    assert {name: words for name, words in found.items() if words} == {}
