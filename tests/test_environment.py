from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version


@pytest.fixture(scope="module")
def lock(project: Path) -> str:
    return (project / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def configuration(project: Path) -> dict:
    return tomllib.loads((project / "pyproject.toml").read_text())


def pins(lock: str) -> list[tuple[str, Version, str]]:
    """Each pin as name, version and the block of hashes that follows it."""
    found = re.findall(r"^(\S+?)==([^\s;]+)[^\n]*\n((?:    [^\n]*\n?)*)", lock, flags=re.MULTILINE)
    return [(canonicalize_name(name.split("[")[0]), Version(version), block) for name, version, block in found]


def test_every_pin_is_hashed(lock: str) -> None:
    locked = pins(lock)
    assert len(locked) > 100
    assert len(locked) == len(re.findall(r"^[A-Za-z0-9]", lock, flags=re.MULTILINE))
    assert [name for name, _, block in locked if "--hash=sha256:" not in block] == []


def test_the_lock_names_no_address(lock: str) -> None:
    assert "://" not in lock
    assert not re.search(r"--(index-url|extra-index-url|find-links|trusted-host)", lock)


def test_the_lock_fulfils_every_requirement(lock: str, configuration: dict) -> None:
    locked: dict[str, list[Version]] = {}
    for name, version, _ in pins(lock):
        locked.setdefault(name, []).append(version)
    extras = configuration["project"]["optional-dependencies"]
    wanted = [*configuration["project"]["dependencies"], *(line for lines in extras.values() for line in lines)]
    for requirement in map(Requirement, wanted + configuration["build-system"]["requires"]):
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in requirements.lock: run `make lock`"
        assert all(version in requirement.specifier for version in versions), str(requirement)


def test_conda_users_get_the_same_environment(project: Path, configuration: dict) -> None:
    environment = yaml.safe_load((project / "environment.yml").read_text())
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    # Whatever runs here comes from the lock: conda brings Python and the tools that install it.
    assert pip == ["-r requirements.lock"]
    assert [line.split("=")[0] for line in conda] == ["python", "pip", "make"]
    python = next(line.split("=")[1] for line in conda if line.startswith("python="))
    assert Version(f"{python}.0") in SpecifierSet(configuration["project"]["requires-python"])
    assert environment["name"] == configuration["project"]["name"]


def test_makefile_accepts_the_versions_that_the_project_supports(project: Path, configuration: dict) -> None:
    low, high = re.search(
        r"\((3, \d+)\) <= sys.version_info < \((3, \d+)\)", (project / "Makefile").read_text()
    ).groups()
    supported = SpecifierSet(configuration["project"]["requires-python"])
    assert Version(low.replace(", ", ".")) in supported
    assert Version(high.replace(", ", ".")) not in supported


def test_citation_and_package_have_one_version(project: Path, configuration: dict) -> None:
    citation = yaml.safe_load((project / "CITATION.cff").read_text())
    assert citation["version"] == configuration["project"]["version"]
    assert f"## {citation['version']}" in (project / "CHANGELOG.md").read_text()
