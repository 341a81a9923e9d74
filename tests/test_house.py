"""The house keeps its order: imports run one way, one place opens the database, the lock names no host."""

import ast
import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import shipcast

ROOT = Path(__file__).parent.parent
LAYERS = [
    ("settings",),
    ("simulator", "warehouse"),
    ("channels", "ingest"),
    ("features",),
    ("models",),
    ("scheduling",),
    ("answers",),
    ("api", "dashboards"),
    ("shipcast",),
]
LEVEL = {folder: level for level, folders in enumerate(LAYERS) for folder in folders}


def imported_folders(path: Path) -> set[str]:
    """The top folders of this repository that a file imports, at any depth of the file."""
    folders = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "shipcast":
                folders.add(parts[1] if len(parts) > 1 and parts[1] in LEVEL else "shipcast")
    return folders


def source_files() -> list[Path]:
    return [path for folder in LEVEL for path in (ROOT / folder).rglob("*.py")]


def test_imports_run_one_way():
    wrong = [
        f"{path.relative_to(ROOT)} imports {folder}"
        for path in source_files()
        for folder in imported_folders(path)
        if folder != (home := path.relative_to(ROOT).parts[0]) and LEVEL[folder] >= LEVEL[home]
    ]

    assert wrong == []


def test_the_import_check_sees_a_wrong_look(tmp_path):
    offender = tmp_path / "offender.py"
    offender.write_text("def late():\n    from shipcast.answers.metrics import metrics\n    return metrics\n")

    assert imported_folders(offender) == {"answers"}


def test_only_the_warehouse_opens_duckdb_and_only_settings_reads_the_environment():
    opens = [path for path in source_files() if "duckdb.connect(" in path.read_text(encoding="utf-8")]
    reads = [path for path in source_files() if re.search(r"os\.(environ\b|getenv)", path.read_text(encoding="utf-8"))]

    assert {path.relative_to(ROOT).parts[0] for path in opens} == {"warehouse"}
    assert {path.relative_to(ROOT).as_posix() for path in reads} <= {
        "settings/__init__.py",
        "settings/secrets.py",
        "warehouse/transform.py",
    }


def test_the_lock_has_hashes_and_names_no_host():
    for name in ("lock.txt", "uv.txt"):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        packages = re.findall(r"^[a-z0-9][^=\n]*==", text, flags=re.MULTILINE)

        assert packages
        assert text.count("--hash=sha256:") >= len(packages)
        assert not re.search(r"://|file:|--(extra-)?index-url|--find-links", text)


def test_every_source_folder_is_installed():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for folder in LEVEL for path in (ROOT / folder).rglob("__init__.py")}
    names = {
        ".".join(folder.parts if folder.parts[0] == "shipcast" else ("shipcast", *folder.parts)) for folder in folders
    }

    assert set(setuptools["packages"]) == names | {"shipcast.dbt_project"}
    assert all((ROOT / folder).is_dir() for folder in setuptools["package-dir"].values())


HOSTILE = ("models", "features", "settings", "ingest", "answers", "warehouse", "scheduling", "simulator")


@pytest.fixture
def own_folder(tmp_path):
    """A data scientist's folder whose packages and modules carry the names of ours."""
    for name in HOSTILE:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    return tmp_path


@pytest.mark.parametrize("path", ["", "."])
def test_a_folder_with_our_names_in_it_breaks_neither_import_nor_verbs(own_folder, path):
    environ = {**os.environ, "PYTHONPATH": path}
    code = "import shipcast, shipcast.settings, shipcast.answers; print(shipcast.settings.__file__)"

    imported = subprocess.run([sys.executable, "-c", code], cwd=own_folder, env=environ, capture_output=True, text=True)
    asked = subprocess.run(
        [sys.executable, "-m", "shipcast", "doctor"], cwd=own_folder, env=environ, capture_output=True, text=True
    )

    assert imported.returncode == 0, imported.stderr
    assert str(own_folder) not in imported.stdout
    assert asked.returncode == 0, asked.stderr
    assert "wrong" not in asked.stdout + asked.stderr


def modules() -> list[str]:
    return [f"shipcast.{folder}" if folder != "shipcast" else "shipcast" for folder in LEVEL] + [
        module.name
        for folder in LEVEL
        for package in [importlib.import_module("shipcast" if folder == "shipcast" else f"shipcast.{folder}")]
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.endswith("__main__")
    ]


def test_the_examples_in_docstrings_are_true():
    results = [doctest.testmod(importlib.import_module(name)) for name in modules()]

    assert sum(result.attempted for result in results) > 0
    assert sum(result.failed for result in results) == 0


def test_the_package_is_typed():
    assert (Path(shipcast.__file__).parent / "py.typed").exists()
