"""The certificate of an audit: every claim with its values, its code and its cell, and what went into it.

``certify`` puts the parts together and says whether the audit is reproduced, and ``to_json`` writes it
down; ``certificate_page`` makes a page of it. No time of day is in it, so that two audits of one state
give the same bytes.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath

from survaudit.errors import SourceFileError
from survaudit.ledger.claims import half_unit
from survaudit.ledger.fingerprints import SUMS, digest_of, fingerprint, source_fingerprints
from survaudit.ledger.recompute import RECOMPUTATIONS
from survaudit.ledger.verdicts import Ledger, LedgerRow

TESTS = ("tests.xml", "tests.json")  # pytest's own record, and ours of what it ran on
PACKAGES = ("numpy", "pandas", "scipy", "numba", "lifelines", "firthmodels", "matplotlib", "jupyter-book", "sphinx")


@dataclass(frozen=True)
class Number:
    """A printed number, its recomputed value, and the tolerance: half a unit of the last printed digit."""

    name: str
    printed: str | None
    tolerance: str | None
    recomputed: float | None


@dataclass(frozen=True)
class CertifiedClaim:
    """One claim with all that is needed to check it."""

    id: str
    where: str
    statement: str
    numbers: tuple[Number, ...]
    verdict: str
    expected: str
    as_expected: bool
    reason: str
    facts: Mapping[str, str]
    function: str
    code: str
    cell: str


@dataclass(frozen=True)
class SuiteResult:
    """How the tests ended, and on what they ran (see ``audited_state``)."""

    passed: int
    failed: int
    skipped: int
    exit_code: int
    state: str


@dataclass(frozen=True)
class Rebuild:
    """How a second build of the book compared with the first, and what was built (see ``audited_state``)."""

    files: int
    conditions: Mapping[str, str]
    differences: Sequence[str]
    state: str


@dataclass(frozen=True)
class Certificate:
    """A finished audit.

    Attributes
    ----------
    reasons : tuple of str
        Why the audit is not reproduced; empty if it is.
    claims : tuple of CertifiedClaim
    inputs, outputs : mapping of str to str
        SHA-256 by path: of every source, and of what was made from them.
    state : str
        One fingerprint of the sources and the site.
    environment : mapping of str to str
        Versions of Python and of the packages that compute.
    tests : SuiteResult or None
    rebuild : Rebuild or None
    """

    reasons: tuple[str, ...]
    claims: tuple[CertifiedClaim, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    state: str
    environment: Mapping[str, str]
    tests: SuiteResult | None
    rebuild: Rebuild | None

    @property
    def reproduced(self) -> bool:
        """Whether every verdict is as expected, all tests passed, and both builds are the same."""
        return not self.reasons


# ---------------------------------------------------------------- the parts


def certified_claim(row: LedgerRow, project: Path) -> CertifiedClaim:
    """Return a row of the ledger with the place of its function and of the cell that settles it."""
    printed, found = row.claim.printed, row.finding.values
    numbers = tuple(
        Number(
            name,
            printed.get(name),
            str(half_unit(printed[name])) if name in printed else None,
            float(found[name]) if name in found else None,
        )
        for name in dict.fromkeys([*printed, *found])
    )
    function = inspect.unwrap(RECOMPUTATIONS[row.claim.compute])
    file = Path(os.path.relpath(inspect.getsourcefile(function) or "", project)).as_posix()
    page = PurePosixPath(row.claim.notebook).with_suffix(".html")
    return CertifiedClaim(
        row.claim.id, row.claim.where, row.claim.statement, numbers, str(row.verdict), str(row.expected),
        row.as_expected, row.reason, {name: str(value) for name, value in row.finding.facts.items()},
        function.__name__, f"{file}:{inspect.getsourcelines(function)[1]}",
        f"{page}#settles-{row.claim.id}",
    )  # fmt: skip


def audited_state(project: Path) -> str:
    """Return one fingerprint of all sources and of the built site, to tell whether a record is about these."""
    sums = project / "_build" / "html" / SUMS
    site = {SUMS: fingerprint(sums)} if sums.is_file() else {}
    return digest_of(source_fingerprints(project) | site)


def read_tests(folder: Path) -> SuiteResult:
    """Read how the tests ended, from the two records in a folder.

    Raises
    ------
    SourceFileError
        If one of them is missing, or is something else.
    """
    path, record = (folder / name for name in TESTS)
    try:
        ours = json.loads(record.read_text(encoding="utf-8"))
        exit_code, state = int(ours["exit_code"]), str(ours["state"])
        suites = list(ET.parse(path).getroot().iter("testsuite"))
        names = ("tests", "failures", "errors", "skipped")
        counts = {name: sum(int(suite.attrib[name]) for suite in suites) for name in names}
    except (OSError, ET.ParseError, KeyError, TypeError, ValueError) as error:
        raise SourceFileError(f"{folder}: {error!r}; run `make audit`, which records the tests") from error
    failed = counts["failures"] + counts["errors"]
    return SuiteResult(counts["tests"] - failed - counts["skipped"], failed, counts["skipped"], exit_code, state)


def read_rebuild(path: Path) -> Rebuild:
    """Read the record of the second build.

    Raises
    ------
    SourceFileError
        If there is no such record, or it is something else.
    """
    try:
        return Rebuild(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise SourceFileError(f"{path}: {error}; run `make audit`, which writes it") from error


def environment(project: Path) -> dict[str, str]:
    """Return the commit, and the versions of Python and of the packages that compute or build."""
    versions = {"python": platform.python_version(), "survaudit": metadata.version("survaudit")}
    return {"commit": _commit(project)} | versions | {name: metadata.version(name) for name in PACKAGES}


def _commit(project: Path) -> str:
    """Return the commit that is checked out, and whether files differ from it."""
    git = shutil.which("git")
    if git is None or not (project / ".git").exists():
        return "not a checkout"
    asked = [subprocess.run([git, *command], cwd=project, capture_output=True, text=True, check=False)
             for command in (["rev-parse", "HEAD"], ["status", "--porcelain"])]  # fmt: skip
    if any(each.returncode for each in asked):
        return "not a checkout"
    return asked[0].stdout.strip() + (", with changes" if asked[1].stdout.strip() else "")


def certify(
    ledger: Ledger,
    project: Path,
    *,
    outputs: Sequence[Path],
    tests: SuiteResult | None,
    rebuild: Rebuild | None,
    problems: Sequence[str] = (),
) -> Certificate:
    """Put a certificate together.

    Parameters
    ----------
    ledger : Ledger
    project : Path
        The folder that paths are told from.
    outputs : sequence of Path
        Files to fingerprint beside the sources.
    tests, rebuild : SuiteResult and Rebuild, or None if there is no record of them
    problems : sequence of str
        What else went wrong on the way.

    Returns
    -------
    Certificate
    """
    state = audited_state(project)
    reasons = [
        *problems,
        *(f"{row.claim.id} is {row.verdict}, expected was {row.expected}" for row in ledger.unexpected),
        *_reasons(tests, rebuild, state),
    ]
    return Certificate(
        tuple(reasons),
        tuple(certified_claim(row, project) for row in ledger.rows),
        source_fingerprints(project),
        {_name(path, project): fingerprint(path) for path in outputs},
        state,
        environment(project),
        tests,
        rebuild,
    )


def _reasons(tests: SuiteResult | None, rebuild: Rebuild | None, state: str) -> list[str]:
    found = []
    if tests is not None and (tests.failed or tests.skipped or not tests.passed):
        found.append(f"{tests.failed} tests failed, {tests.skipped} were skipped, {tests.passed} passed")
    elif tests is not None and tests.exit_code:
        found.append(f"the tests ended with exit code {tests.exit_code}, before all had run")
    if rebuild is not None and rebuild.differences:
        found.append(f"a second build differs: {'; '.join(rebuild.differences[:5])}")
    records = {"the tests": tests, "the second build": rebuild}
    stale = [name for name, record in records.items() if record is not None and record.state != state]
    if stale:
        found.append(f"{' and '.join(stale)} ran on other sources or on another site: run `make audit` anew")
    return found


def _name(path: Path, project: Path) -> str:
    return Path(os.path.relpath(path, project)).as_posix()


# ---------------------------------------------------------------- written down


def to_json(certificate: Certificate) -> str:
    """Return the certificate as JSON, with numbers that read back to the last bit."""
    content = {"reproduced": certificate.reproduced, **asdict(certificate)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
