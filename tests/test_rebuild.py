"""Two builds of a part of the book, under conditions as different as a machine allows, are byte for byte the same."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import rebuild
import versions
import yaml

from survaudit.errors import SourceFileError
from survaudit.ledger.fingerprints import fingerprints, read_sums, sums_text

# A page of prose, and the smallest notebook with figure, tables, glued numbers and bibliography.
PAGES = ["book/glossary.md", "notebooks/12_ledger.md"]
CONDITIONS = [
    {"PYTHONHASHSEED": "1", "TZ": "America/Los_Angeles", "LC_ALL": "C.UTF-8"},
    rebuild.ELSEWHERE,
]


def small_book(project: Path, folder: Path) -> Path:
    """A copy of the book's sources with a few of its pages."""
    rebuild.copy_sources(project, folder)
    contents = {"format": "jb-book", "root": "book/about.md", "chapters": [{"file": name} for name in PAGES]}
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents))
    return folder


@pytest.fixture(scope="module")
def twins(project: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two sites, built side by side in folders whose names differ in length and kind."""
    scratch = tmp_path_factory.mktemp("twins")
    folders = [small_book(project, scratch / name) for name in ("a", "b b/deeper")]
    builds = [rebuild.begin_build(folder, each) for folder, each in zip(folders, CONDITIONS, strict=True)]
    outputs = [build.communicate()[0] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], outputs
    return [folder / "_build" / "html" for folder in folders]


@pytest.mark.build
def test_two_builds_are_byte_for_byte_the_same(twins: list[Path]) -> None:
    first, second = twins
    assert rebuild.differences(first, second) == []
    assert (first / "SHA256SUMS").read_bytes() == (second / "SHA256SUMS").read_bytes()
    # Guard against having compared nothing of interest.
    page = (first / "notebooks" / "12_ledger.html").read_text()
    assert "verdict-contradicted" in page
    assert list((first / "_images").glob("*.svg"))


@pytest.mark.build
def test_no_file_depends_on_where_the_environment_is(twins: list[Path]) -> None:
    # Sphinx's stamp hashes the path of the theme; `make versions` builds with environments elsewhere.
    assert not list(twins[0].rglob(".buildinfo"))


@pytest.mark.build
def test_sums_are_those_of_another_implementation(twins: list[Path]) -> None:
    command = ["sha256sum"] if shutil.which("sha256sum") else ["shasum", "--algorithm", "256"]  # the latter on macOS
    done = subprocess.run([*command, "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=twins[0], check=False)
    assert done.returncode == 0


@pytest.mark.build
def test_every_file_of_the_published_site_is_in_its_sums(site: Path) -> None:
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    sums = dict(reversed(line.split("  ", 1)) for line in (site / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == files - {"SHA256SUMS"}
    assert list(sums) == sorted(sums)
    for name in ("index.html", "searchindex.js", "notebooks/12_ledger.html"):
        assert sums[name] == hashlib.sha256((site / name).read_bytes()).hexdigest(), "changed after the sums were made"


# ------------------------------------------------------------------ the parts


def test_every_difference_is_named(tmp_path: Path) -> None:
    for folder, files in (("one", {"a": "1", "b": "1", "c/d": "1"}), ("two", {"a": "1", "b": "2", "e": "1"})):
        for name, content in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    found = rebuild.differences(tmp_path / "one", tmp_path / "two")
    assert [re.split(r"[:,]| in the", line)[0] for line in found] == ["b", "c/d", "e"]
    assert found[1].endswith("only in the first build")
    assert found[2].endswith("only in the second build")


def test_sums_round_trip_and_leave_themselves_out(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("x")
    (tmp_path / "a").write_text("")
    (tmp_path / "SHA256SUMS").write_text(sums_text(fingerprints(tmp_path)))
    # The fingerprint of nothing is known to everyone.
    assert read_sums(tmp_path / "SHA256SUMS")["a"].startswith("e3b0c44298fc1c149afbf4c8996fb924")
    assert list(read_sums(tmp_path / "SHA256SUMS")) == ["a", "b"]


@pytest.mark.parametrize("content", ["abc  a\n", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"])
def test_bad_sums_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(content)
    with pytest.raises(SourceFileError, match="line 1"):
        read_sums(tmp_path / "SHA256SUMS")


def test_missing_sums_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match="make book"):
        read_sums(tmp_path / "SHA256SUMS")


def test_nothing_that_an_earlier_build_left_is_copied(project: Path, tmp_path: Path) -> None:
    rebuild.copy_sources(project, tmp_path / "copy")
    names = {path.name for path in (tmp_path / "copy").rglob("*")}
    assert names.isdisjoint({"__pycache__", "_build", ".venv", ".git"})
    assert {"_config.yml", "12_ledger.md", "survaudit.css"} <= names


def fake_pythons(folder: Path, **scripts: str) -> None:
    for name, script in scripts.items():
        command = folder / f"python3.{name.removeprefix('minor_')}"
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)


def test_a_version_is_installed_if_its_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pythons(tmp_path, minor_12="echo 3.12.99", minor_13="exit 127")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [versions.installed(version) for version in versions.SUPPORTED] == [None, "3.12.99", None]


@pytest.mark.parametrize(("found", "code"), [([], 0), (["index.html: differs"], 1)])
def test_every_other_version_is_compared(
    found: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_pythons(tmp_path, minor_11="echo 3.11.99", minor_12="echo 3.12.99", minor_13="echo 3.13.99")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(versions, "make_environment", lambda project, version: project / version)
    compared: list[Path] = []

    def compare(_project: Path, _conditions: dict[str, str], binaries: Path) -> list[str]:
        compared.append(binaries)
        return found if binaries.name.endswith("3") else []  # only 3.13 may differ

    monkeypatch.setattr(versions, "compare_with_another", compare)
    monkeypatch.setattr(versions.platform, "python_version", lambda: "3.11.7")
    assert versions.main(tmp_path) == code
    assert compared == [tmp_path / "3.12", tmp_path / "3.13"]
    assert ("index.html: differs" in capsys.readouterr().out) == bool(found)


def test_a_comparison_with_nothing_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert versions.main(tmp_path) == 1
