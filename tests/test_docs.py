"""The documentation is what the code says, and the commands in it run."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from shipcast.__main__ import run
from shipcast.simulator import simulate

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def generator():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_current():
    stale = [path.name for path, text in generator().pages().items() if path.read_text(encoding="utf-8") != text]

    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("name", generator().verbs())
def test_every_verb_helps_with_an_example(name):
    help_text = generator().help_text(name)

    assert re.search(rf"^ *Example: shipcast {name}\b", help_text, flags=re.MULTILINE)


def commands(page: Path) -> list[str]:
    """The `$ shipcast ...` lines of a page, in order."""
    return re.findall(r"^\$ (shipcast .*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def write_files(page: Path, folder: Path) -> None:
    """Write the code blocks of a page whose first line names a file, such as ```toml calendar.toml."""
    blocks = re.findall(
        r"^```[a-z]+ (\S+)\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for name, text in blocks:
        (folder / name).write_text(text, encoding="utf-8")


REPOSITORIES = """
git init -q charts && cd charts
release() { git commit -q --allow-empty -m "$1" && git tag "$1"; }
deploy() {
    mkdir -p apps/production && echo "image: {tag: $1}" > apps/production/pay.yaml
    git add . && git commit -q -m "$1"
}
deploy v1 && deploy v2
cd .. && git init -q pay && cd pay && release v1 && release v2
cd .. && git init -q cart && cd cart && release v1
"""


def make_repositories(folder):
    """A GitOps repository `charts`, the code of `pay`, which it deploys, and that of `cart`, which it does not."""
    person = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    dates = {f"GIT_{who}_DATE": "2025-11-01T10:00:00Z" for who in ("AUTHOR", "COMMITTER")}
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), **person, **dates}
    subprocess.run(["bash", "-ec", REPOSITORIES], cwd=folder, env=environ, check=True)


def test_there_are_commands_to_run():
    assert commands(ROOT / "README.md")


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_as_written(page, parsed, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    parsed(tmp_path / ".shipcast")
    make_repositories(tmp_path)
    write_files(page, tmp_path)
    simulate(tmp_path / "exports", services=3, days=120)  # smaller than what `simulate` makes, else the same

    failed = []
    for line in commands(page):
        arguments = shlex.split(line)[1:]
        if run(arguments) != 0:
            failed.append((line, capsys.readouterr().err))

    assert failed == []


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.name}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
