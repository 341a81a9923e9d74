"""The documentation is what the code says, and the commands in it run."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shipcast.__main__ import run

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONNECTING = sorted((ROOT / "docs" / "connect").glob("*.md"))  # their commands ask servers, and run in tests of theirs


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


def commands(page: Path) -> list[tuple[str, int]]:
    """The `$ shipcast ...` lines of a page, in order, and the exit code of each, which it may name behind a `#`."""
    found = re.findall(
        r"^\$ (shipcast .*?)(?:\s+# exit code (\d+))?$", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return [(line, int(code or 0)) for line, code in found]


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


def is_too_wide(line):
    """Whether it has over a hundred columns and could be broken: a path alone can't, and notes are left as they are."""
    return len(line) > 100 and len(line.split()) > 1 and not line.startswith("note: ")


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_as_written_and_answer_in_at_most_a_hundred_columns(
    page, parsed, simulated_exports, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    parsed(tmp_path / ".shipcast")
    make_repositories(tmp_path)
    write_files(page, tmp_path)
    shutil.copytree(simulated_exports, tmp_path / "exports")  # smaller than what `simulate` makes, else the same

    failed, wide = [], []
    for line, code in commands(page):
        capsys.readouterr()
        ended = run(shlex.split(line)[1:])
        said = capsys.readouterr()
        failed += [] if ended == code else [(line, said.err)]
        wide += [told for told in said.out.splitlines() if is_too_wide(told)]

    assert failed == []
    assert wide == []


def recipes():
    """The pipelines on the gate's page, in YAML, and what its recipe for Jenkins runs."""
    text = (ROOT / "docs" / "gate.md").read_text(encoding="utf-8")
    actions, gitlab, job = map(yaml.safe_load, re.findall(r"^```yaml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL))
    [groovy] = re.findall(r"^```groovy\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return actions, gitlab, job, re.findall(r"\bsh '(.*?)'", groovy)


def test_the_pipelines_on_the_gates_page_gate_what_they_deploy():
    actions, gitlab, job, jenkins = recipes()

    assert actions["jobs"]["deploy"]["needs"] == "gate"
    assert gitlab["stages"] == [gitlab["gate"]["stage"], gitlab["deploy"]["stage"]]
    assert gitlab["gate"]["artifacts"]["reports"]["junit"] == "gate.xml"
    assert job["metadata"]["annotations"]["argocd.argoproj.io/hook"] == "PreSync"
    assert job["spec"]["backoffLimit"] == 0
    assert [line.split()[0] for line in jenkins] == ["shipcast", "./deploy.sh"]


def test_the_lines_of_these_pipelines_stop_before_what_they_would_deploy(tmp_path, monkeypatch, capsys):
    actions, gitlab, job, jenkins = recipes()
    calendar = '[[freeze]]\nid = "always"\nstart = 2000-01-01\nend = 2199-12-31\ntz = "UTC"\n'
    (tmp_path / "calendar.toml").write_text(calendar, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHIPCAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    [line] = [step["run"] for step in actions["jobs"]["gate"]["steps"] if "run" in step]
    done = subprocess.run(["bash", "-ec", f"{line}\necho deployed"], capture_output=True, text=True)

    assert (done.returncode, done.stdout[:27], "deployed" in done.stdout) == (10, "Hold: checkout may not ship", False)
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("### ⛔ Hold: checkout may not ship")
    for words in (*map(shlex.split, [*gitlab["gate"]["script"], jenkins[0]]), job_command(job)):
        assert (words[0], run(words[1:])) == ("shipcast", 10)
        assert capsys.readouterr().out.startswith("Hold: checkout may not ship")
    assert (tmp_path / "gate.xml").exists()


def job_command(job):
    [container] = job["spec"]["template"]["spec"]["containers"]
    return container["command"]


def test_links_between_pages_lead_somewhere():
    broken = [
        f"{page.name}: {target}"
        for page in (*PAGES, *CONNECTING)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
