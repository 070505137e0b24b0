"""The command line: ``python -m survaudit`` with a command, and the file where it needs one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from survaudit.cohort.tables import Supplement, read_supplement, write_tidy
from survaudit.errors import SourceFileError, SurvAuditError
from survaudit.figures.certificate import to_html
from survaudit.follow_up.supplied import read_supplied, supplied_by_user, write_template
from survaudit.ledger.certificate import certify, read_rebuild, read_tests, to_json
from survaudit.ledger.claims import read_claims
from survaudit.ledger.fingerprints import SUMS, fingerprints, read_sums
from survaudit.ledger.verdicts import audit

Record = TypeVar("Record")


def write_data(data: Path) -> int:
    """Write the tidy tables from the raw ones."""
    for path in write_tidy(read_supplement(data / "raw"), data / "tidy"):
        print(f"wrote {path}")
    return 0


def print_ledger(data: Path) -> int:
    """Print a line for each claim; fail if a verdict is not the expected one."""
    supplement = read_supplement(data / "raw")
    ledger = audit(supplement, read_claims(data / "claims.yml"), supplied_by_user(supplement))
    for row in ledger.rows:
        print(f"{row.verdict:15} {row.claim.id:26} {row.reason}")
    for row in ledger.unexpected:
        print(f"unexpected: {row.claim.id} is {row.verdict}, the register expects {row.expected}")
    # What paper and a supplied follow-up do not agree on is a finding, and no failure.
    return int(any(not row.with_follow_up for row in ledger.unexpected))


def write_certificate(data: Path) -> int:
    """Write the certificate of the audit beside the records of its tests and second build; fail if not reproduced."""
    project = data.parent
    folder, sums = project / "_build" / "audit", project / "_build" / "html" / SUMS
    supplement = read_supplement(data / "raw")
    problems = _tidy_problems(data / "tidy", supplement)
    tests = _read_record(read_tests, folder, problems)
    rebuild = _read_record(read_rebuild, folder / "rebuild.json", problems)
    if _read_record(read_sums, sums, problems) not in (None, fingerprints(sums.parent)):
        problems.append(f"the site is not what {sums} says: run `make book`")
    outputs = [*sorted((data / "tidy").glob("*.csv")), *([sums] if sums.is_file() else [])]
    ledger = audit(supplement, read_claims(data / "claims.yml"))
    certificate = certify(ledger, project, outputs=outputs, tests=tests, rebuild=rebuild, problems=problems)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "audit.json").write_text(to_json(certificate), encoding="utf-8")
    (folder / "certificate.html").write_text(to_html(certificate), encoding="utf-8")
    for reason in certificate.reasons:
        print(f"not reproduced: {reason}")
    print(f"{'reproduced' if certificate.reproduced else 'NOT reproduced'}: {folder / 'certificate.html'}")
    return int(not certificate.reproduced)


def _read_record(read: Callable[[Path], Record], path: Path, problems: list[str]) -> Record | None:
    """Return a record, or None and one more problem."""
    try:
        return read(path)
    except SourceFileError as error:
        problems.append(str(error))
        return None


def _tidy_problems(tidy: Path, supplement: Supplement) -> list[str]:
    """Return the committed tidy tables that the raw bytes do not give."""
    with TemporaryDirectory() as scratch:
        written = [(path.name, path.read_bytes()) for path in write_tidy(supplement, Path(scratch))]
    return [
        f"{tidy / name} is not what the raw bytes give"
        for name, content in written
        if not (tidy / name).is_file() or (tidy / name).read_bytes() != content
    ]


COMMANDS = {
    "audit": write_certificate,
    "data": write_data,
    "ledger": print_ledger,
}


def write_follow_up_template(data: Path, file: Path) -> int:
    """Write the table that a user fills in."""
    path = write_template(read_supplement(data / "raw"), file)
    print(f"wrote {path}: fill in os_days or os_date, os_event, lfs_days or lfs_date, lfs_event and source")
    print(f"then: make book FOLLOW_UP={path}")
    return 0


def check_follow_up(data: Path, file: Path) -> int:
    """Check a user's follow-up, and tell what it says against the assumptions."""
    supplied = read_supplied(file, read_supplement(data / "raw"))
    print(f"{file}: {len(supplied.follow_up.table)} patients, nothing against the tables")
    for finding in supplied.findings:
        print(f"finding against {finding.assumption}: {finding.sentence}")
    return 0


FILE_COMMANDS = {"follow-up-template": write_follow_up_template, "check-follow-up": check_follow_up}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; print what is wrong with the input and return 1 if it fails."""
    parser = argparse.ArgumentParser(prog="survaudit", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, *FILE_COMMANDS])
    parser.add_argument("file", type=Path, nargs="?", help=f"for {' and '.join(FILE_COMMANDS)}: the follow-up")
    parser.add_argument("--data", type=Path, default=Path("data"), help="the data folder (default: data)")
    options = parser.parse_args(arguments)
    if (options.command in FILE_COMMANDS) != (options.file is not None):
        parser.error(
            f"{options.command}: found {options.file or 'no file'}, expected {'no' if options.file else 'a'} file"
        )
    try:
        if options.file is not None:
            return FILE_COMMANDS[options.command](options.data, options.file)
        return COMMANDS[options.command](options.data)
    except SurvAuditError as error:
        print(f"survaudit: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
