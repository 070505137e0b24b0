"""What all tests share; and in CI, a skipped test is a failed run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from survaudit.cohort.tables import RAW_FILES, Supplement, read_supplement
from survaudit.ledger.claims import Claim, read_claims
from survaudit.ledger.verdicts import Ledger, audit
from survaudit.warm import compile_kernels

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "book" / "_ext"))
sys.path.insert(0, str(PROJECT / "book" / "_tools"))
sys.path.insert(0, str(PROJECT / "tests"))

# `make test` takes the quick profile; HYPOTHESIS_PROFILE=deep looks longer.
settings.register_profile("quick", max_examples=300, deadline=None, print_blob=True)
settings.register_profile("deep", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def raw_texts() -> list[str]:
    return [(PROJECT / "data" / "raw" / name).read_text(encoding="utf-8") for name in RAW_FILES]


@pytest.fixture(scope="session")
def supplement() -> Supplement:
    return read_supplement(PROJECT / "data" / "raw")


@pytest.fixture(scope="session")
def claims() -> dict[str, Claim]:
    return read_claims(PROJECT / "data" / "claims.yml")


@pytest.fixture(scope="session")
def ledger(supplement: Supplement, claims: dict[str, Claim]) -> Ledger:
    return audit(supplement, claims)


@pytest.fixture(scope="session")
def site() -> Path:
    folder = PROJECT / "_build" / "html"
    assert (folder / "index.html").is_file(), "the book is not built: run `make book`, or `make test`, which does"
    return folder


def pytest_configure() -> None:
    """Let examples in docstrings read files by their path from the project's folder, and no user's follow-up."""
    os.environ.pop("SURVAUDIT_FOLLOW_UP", None)
    os.chdir(PROJECT)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before tests run side by side: their processes may not compile the same code at once."""
    compile_kernels()


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Side by side, tests go to whatever process is free, and those of some modules to one.

    Marks of a group do not reach the schedulers of xdist 3.8: pytest 9.2 does not read what they are written into.
    """

    # What their fixtures build takes longer than what their tests do with it.
    together = frozenset(
        f"tests/test_{name}.py" for name in ("book", "offline", "rebuild", "supplied_book", "validation")
    )

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if module in self.together else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduler:
    """Let `--dist` choose nothing else."""
    return Scheduler(config, log)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        SKIPPED.append(report.nodeid)


SKIPPED: list[str] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("CI") and SKIPPED and exitstatus == pytest.ExitCode.OK:
        print(f"\nCI must run every test, and these were skipped: {', '.join(SKIPPED)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
