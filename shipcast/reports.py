"""The gate's answer as pipelines show it: JUnit XML for their test reports, Markdown for their summaries."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from shipcast.answers.answer import rfc3339
from shipcast.console import printable
from shipcast.settings.files import write_whole

if TYPE_CHECKING:
    from shipcast.answers.gate import GateAnswer
    from shipcast.answers.gate_checks import Check

SUITE = "shipcast.gate"
ABSENT = "localhost"  # what the format asks for where no host is named
MARKS = {"go": "✅", "hold": "⛔", "unknown": "❔"}
MEANINGFUL = re.compile(r"[\\`*_\[\]<>|~&@#$]|(?<=:)/|(?<=www)\.")  # in Markdown, within a line


def write_junit(path: Path, answer: GateAnswer) -> None:
    """Write one test suite with a test case for each check, in the form of Apache Ant's schema.

    A hold is a failure and what cannot be said an error; it is skipped where it was asked for to count as go.
    """
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", suite_facts(answer))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in facts(answer).items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": one_line(value)})
    for check in answer.items:
        test_case(suite, answer, check)
    ElementTree.SubElement(suite, "system-out").text = one_line(answer.sentence)
    ElementTree.SubElement(suite, "system-err").text = "\n".join(one_line(warning) for warning in answer.warnings)
    ElementTree.indent(root)
    write_whole(path, ['<?xml version="1.0" encoding="UTF-8"?>\n', ElementTree.tostring(root, "unicode"), "\n"])


def suite_facts(answer: GateAnswer) -> dict[str, str]:
    outcomes = [outcome(answer, check) for check in answer.items]
    return {
        "name": SUITE,
        "package": SUITE,
        "id": "0",
        "timestamp": answer.generated_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "hostname": ABSENT,
        "tests": str(len(answer.items)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": "0",
    }


def facts(answer: GateAnswer) -> dict[str, str]:
    """What was asked and answered, by name."""
    return {
        "verdict": answer.verdict,
        "service": answer.service,
        "environment": answer.environment,
        "start": rfc3339(answer.start),
        "end": rfc3339(answer.end),
        "as_of": rfc3339(answer.as_of),
    }


def outcome(answer: GateAnswer, check: Check) -> str:
    """What becomes of a check's test: passed, failure, error or skipped."""
    if check.verdict == "unknown" and answer.on_unknown == "go":
        return "skipped"
    return {"go": "passed", "hold": "failure", "unknown": "error"}[check.verdict]


def test_case(suite: ElementTree.Element, answer: GateAnswer, check: Check) -> None:
    name = one_line(f"{answer.service} to {answer.environment}: {check.check}")
    case = ElementTree.SubElement(suite, "testcase", {"name": name, "classname": SUITE, "time": "0"})
    became = outcome(answer, check)
    if became == "passed":
        return
    detail = one_line(check.detail)
    kind = {} if became == "skipped" else {"type": check.verdict}
    ElementTree.SubElement(case, became, {"message": detail, **kind}).text = detail


def append_summary(path: Path, answer: GateAnswer) -> None:
    """Append the verdict and a table of the checks as Markdown, in one write, behind whatever is there."""
    before = path.read_bytes()[-1:] if path.is_file() else b""
    text = ("\n" if before not in (b"", b"\n") else "") + summary(answer)
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def summary(answer: GateAnswer) -> str:
    """The verdict in Markdown."""
    rows = [
        f"| {MARKS[check.verdict]} {check.verdict} | {check.check} | {plain(check.detail)} |" for check in answer.items
    ]
    notes = [f"- {plain(warning)}" for warning in answer.warnings]
    return "\n".join(
        [
            f"### {MARKS[answer.verdict]} {plain(answer.sentence)}",
            "",
            "| | check | found |",
            "| --- | --- | --- |",
            *rows,
            "",
            *([*notes, ""] if notes else []),
        ]
    )


def plain(text: str) -> str:
    """Text on one line that Markdown and HTML take for nothing else.

    >>> plain("a|b <i> http://c"), plain("from 9:00 (UTC)")
    ('a&#124;b &#60;i&#62; http:&#47;/c', 'from 9:00 (UTC)')
    """
    return MEANINGFUL.sub(lambda found: f"&#{ord(found[0])};", one_line(text))


def one_line(text: str) -> str:
    """Text without line breaks and without what would do something to a terminal, or may not stand in XML."""
    return " ".join(printable(text).split())
