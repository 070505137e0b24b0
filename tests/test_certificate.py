from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import run_tests
from bs4 import BeautifulSoup
from playwright.sync_api import Browser
from test_browser import DESKTOP, PHONES, THEMES, barriers, browser, reading  # noqa: F401 - a fixture

from survaudit.__main__ import main
from survaudit.cohort.tables import Supplement
from survaudit.errors import SourceFileError
from survaudit.figures.certificate import to_html
from survaudit.ledger.certificate import (
    Certificate,
    Rebuild,
    SuiteResult,
    audited_state,
    certify,
    read_rebuild,
    read_tests,
    to_json,
)
from survaudit.ledger.claims import Claim
from survaudit.ledger.fingerprints import fingerprints, sums_text
from survaudit.ledger.verdicts import Ledger, audit

Certify = Callable[..., Certificate]


@pytest.fixture(scope="module")
def passed(project: Path) -> SuiteResult:
    return SuiteResult(passed=700, failed=0, skipped=0, exit_code=0, state=audited_state(project))


@pytest.fixture(scope="module")
def same(project: Path) -> Rebuild:
    return Rebuild(400, conditions={"TZ": "Pacific/Kiritimati"}, differences=[], state=audited_state(project))


@pytest.fixture(scope="module")
def certified(ledger: Ledger, project: Path, passed: SuiteResult, same: Rebuild) -> Certify:
    """A certificate of the project as it is, with sound records unless others are given."""

    def make(ledger: Ledger = ledger, **records: SuiteResult | Rebuild | None) -> Certificate:
        return certify(ledger, project, outputs=[], **({"tests": passed, "rebuild": same} | records))

    return make


# ------------------------------------------------------------------ what is in it


def test_every_claim_is_there_with_a_tolerance_of_half_a_unit(ledger: Ledger, certified: Certify) -> None:
    claims = {claim.id: claim for claim in certified().claims}
    assert set(claims) == {row.claim.id for row in ledger.rows}
    (p,) = claims["mrd-p-value"].numbers
    assert (p.printed, p.tolerance) == ("0.017", "0.0005")
    assert p.recomputed == pytest.approx(0.018063, abs=5e-7)  # P of 5.59 on one degree of freedom, from a table
    percent = {number.name: number for number in claims["mrd-negative-rate"].numbers}["percent"]
    assert (percent.printed, percent.tolerance) == ("74.7", "0.05")
    assert percent.recomputed == 100 * 20 / 27
    assert claims["mrd-chi-square"].numbers[0].recomputed is None


def test_every_function_is_found_at_its_line(project: Path, certified: Certify) -> None:
    for claim in certified().claims:
        file, _, line = claim.code.partition(":")
        assert (project / file).read_text().splitlines()[int(line) - 1].startswith(f"def {claim.function}(")


def test_every_cell_is_marked_in_its_notebook(project: Path, certified: Certify) -> None:
    for claim in certified().claims:
        page, _, anchor = claim.cell.partition(".html#")
        assert f"\n({anchor})=\n" in (project / f"{page}.md").read_text(), claim.id


def test_every_input_is_told_and_the_raw_bytes_with_the_published_fingerprint(certified: Certify) -> None:
    inputs = certified().inputs
    assert inputs["data/raw/supplementary_table_1.txt"] == (
        "6265325ba8930ff6ae98d5036abf17d363a812a129d5005d8aeeeb1da979eb80"
    )
    # And whatever else a result could come from.
    parts = {"/".join(name.split("/")[:2]) for name in inputs}
    assert {"requirements.lock", "Makefile", "_toc.yml", "src/survaudit", "data/montecarlo", "data/reference"} <= parts
    assert {"data/synthetic", "notebooks/12_ledger.md", "tests/test_ledger.py"} <= parts
    assert not any("__pycache__" in name for name in inputs)


def test_json_reads_back_to_the_last_bit(ledger: Ledger, certified: Certify) -> None:
    certificate = certified()
    read = json.loads(to_json(certificate))
    assert read["reproduced"] is True
    for claim, row in zip(read["claims"], ledger.rows, strict=True):
        found = {n["name"]: n["recomputed"] for n in claim["numbers"] if n["recomputed"] is not None}
        assert found == dict(row.finding.values)
        assert claim["verdict"] == row.verdict
    assert read["tests"]["passed"] == 700
    assert read["state"] == read["tests"]["state"]
    assert to_json(certified()) == to_json(certificate)


# ------------------------------------------------------------------ when it is not reproduced


def test_an_audit_is_reproduced_only_without_any_reason(certified: Certify, passed: SuiteResult, same: Rebuild) -> None:
    assert certified().reproduced
    for tests in (replace(passed, failed=1), replace(passed, skipped=1), replace(passed, passed=0)):
        (reason,) = certified(tests=tests).reasons
        assert f"{tests.failed} tests failed, {tests.skipped} were skipped, {tests.passed} passed" in reason
    (reason,) = certified(tests=replace(passed, exit_code=2)).reasons  # interrupted after tests that all passed
    assert "exit code 2" in reason
    (reason,) = certified(rebuild=replace(same, differences=["index.html: a, b"])).reasons
    assert "index.html" in reason
    for records in ({"tests": replace(passed, state="0")}, {"rebuild": replace(same, state="0")}):
        (reason,) = certified(**records).reasons
        assert "other sources" in reason


def test_an_unexpected_verdict_is_a_reason_in_either_direction(
    supplement: Supplement, claims: dict[str, Claim], certified: Certify
) -> None:
    wrong = dict(claims)
    wrong["cr-rate"] = replace(claims["cr-rate"], printed={"patients": "24", "percent": "92.6"})
    wrong["mrd-p-value"] = replace(claims["mrd-p-value"], printed={"p": "0.018"})
    assert certified(audit(supplement, wrong)).reasons == (
        "cr-rate is contradicted, expected was reproduced",
        "mrd-p-value is reproduced, expected was contradicted",
    )


# ------------------------------------------------------------------ the records that it reads

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="20" time="1.5" hostname="h">
<testcase classname="a" name="b"/></testsuite></testsuites>"""


RECORD = '{"exit_code": 1, "state": "00ff"}'


def test_the_result_of_the_tests_is_read(tmp_path: Path) -> None:
    (tmp_path / "tests.xml").write_text(JUNIT)
    (tmp_path / "tests.json").write_text(RECORD)
    assert read_tests(tmp_path) == SuiteResult(passed=14, failed=3, skipped=3, exit_code=1, state="00ff")


@pytest.mark.parametrize(
    ("results", "record"),
    [
        (None, RECORD),
        ("", RECORD),
        ("<testsuites", RECORD),
        (JUNIT.replace("tests=", "n="), RECORD),
        (JUNIT, None),
        (JUNIT, "[]"),
        (JUNIT, '{"exit_code": 0}'),
    ],
)
def test_a_bad_result_of_tests_is_refused(tmp_path: Path, results: str | None, record: str | None) -> None:
    for name, content in (("tests.xml", results), ("tests.json", record)):
        if content is not None:
            (tmp_path / name).write_text(content)
    with pytest.raises(SourceFileError, match="make audit"):
        read_tests(tmp_path)


def test_nothing_in_the_environment_chooses_among_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_two.py").write_text(
        "import pytest\ndef test_one(): pass\ndef test_two(): pass\n@pytest.mark.skip\ndef test_none(): pass\n"
    )
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k one")
    assert run_tests.main(tmp_path, ["-q", "-p", "no:cacheprovider"]) == 0
    found = read_tests(tmp_path / "_build" / "audit")
    assert found == SuiteResult(passed=2, failed=0, skipped=1, exit_code=0, state=audited_state(tmp_path))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"files": 3}'])
def test_a_bad_record_of_the_second_build_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "rebuild.json").write_text(content)
    with pytest.raises(SourceFileError, match="make audit"):
        read_rebuild(tmp_path / "rebuild.json")


# ------------------------------------------------------------------ the command


@pytest.fixture
def audited(project: Path, tmp_path: Path) -> Path:
    """A project with everything that `make audit` has before its last step."""
    root = tmp_path / "project"
    shutil.copytree(project / "data", root / "data", ignore=shutil.ignore_patterns("montecarlo"))
    shutil.copy(project / "requirements.lock", root)
    folder, site = root / "_build" / "audit", root / "_build" / "html"
    folder.mkdir(parents=True)
    site.mkdir()
    (site / "index.html").write_text("<p>A page.</p>")
    (site / "SHA256SUMS").write_text(sums_text(fingerprints(site)))
    (folder / "tests.xml").write_text(re.sub(r'(errors|failures|skipped)="\d"', r'\1="0"', JUNIT))
    state = audited_state(root)
    (folder / "tests.json").write_text(json.dumps({"exit_code": 0, "state": state}))
    rebuilt = {"files": 1, "conditions": {"TZ": "UTC"}, "differences": [], "state": state}
    (folder / "rebuild.json").write_text(json.dumps(rebuilt))
    return root


def append(path: Path, content: str) -> None:
    path.write_text(path.read_text() + content)


def test_a_sound_audit_succeeds_and_is_written_down(audited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--data", str(audited / "data")]) == 0
    assert capsys.readouterr().out.startswith("reproduced: ")
    first = (audited / "_build/audit/audit.json").read_bytes()
    outputs = json.loads(first)["outputs"]
    assert list(outputs) == [
        *(f"data/tidy/{n}.csv" for n in ("patients", "repairs", "treatments")),
        "_build/html/SHA256SUMS",
    ]
    page = (audited / "_build/audit/certificate.html").read_text()
    assert "20 passed" in page
    assert main(["audit", "--data", str(audited / "data")]) == 0
    assert (audited / "_build/audit/audit.json").read_bytes() == first


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root: append(root / "data/tidy/patients.csv", "\n"), "patients.csv is not what the raw bytes give"),
        (lambda root: (root / "_build/audit/tests.xml").write_text(JUNIT), "3 tests failed"),
        (lambda root: (root / "_build/audit/tests.xml").unlink(), "make audit"),
        (lambda root: (root / "_build/audit/tests.json").unlink(), "make audit"),
        (lambda root: append(root / "requirements.lock", "#"), "other sources"),
        (lambda root: (root / "_build/audit/rebuild.json").unlink(), "make audit"),
        (lambda root: append(root / "_build/html/index.html", "x"), "the site is not what"),
        (lambda root: (root / "_build/html/SHA256SUMS").unlink(), "make book"),
        (
            lambda root: (root / "data/claims.yml").write_text(
                (root / "data/claims.yml").read_text().replace('percent: "92.6"', 'percent: "92.4"')
            ),
            "cr-rate is contradicted",
        ),
    ],
    ids=[
        "tidy",
        "failed tests",
        "no tests",
        "no record of tests",
        "changed source",
        "no second build",
        "site",
        "no sums",
        "verdict",
    ],
)
def test_a_spoiled_audit_fails_with_its_reason(
    audited: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(audited)
    assert main(["audit", "--data", str(audited / "data")]) == 1
    out = capsys.readouterr().out
    content = json.loads((audited / "_build/audit/audit.json").read_text())
    assert content["reproduced"] is False
    assert out.count("not reproduced: ") == len(content["reasons"])
    # A changed source also makes the records stale.
    (told,) = [each for each in content["reasons"] if "other sources" not in each or "other sources" in reason]
    assert reason in told


# ------------------------------------------------------------------ the page


@pytest.fixture(scope="module")
def page(certified: Certify, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("certificate") / "certificate.html"
    path.write_text(to_html(certified()), encoding="utf-8")
    return path


def test_the_page_tells_every_claim_and_loads_nothing(page: Path, ledger: Ledger) -> None:
    soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    rows = soup.select("tbody tr")
    for row, shown in zip(ledger.rows, rows, strict=True):
        text = shown.get_text(" ")
        assert row.claim.statement in text
        assert shown.select_one(".verdict").get_text() == row.verdict
        assert all(printed in text for printed in row.claim.printed.values())
    assert soup.select("script, link, img, iframe, object") == []
    assert not re.search(r"url\(|@import|https?:", page.read_text(encoding="utf-8"))
    assert soup.title.get_text() == "Certificate of the audit: reproduced"


def test_the_page_of_a_failed_audit_says_why(certified: Certify, passed: SuiteResult) -> None:
    text = to_html(certified(tests=replace(passed, passed=3, failed=2), rebuild=None))
    assert "<title>Certificate of the audit: not reproduced</title>" in text
    assert "<li>2 tests failed, 0 were skipped, 3 passed</li>" in text
    assert "no record" in text


@pytest.mark.browser
def test_the_page_has_no_barrier_and_prints_on_two_sheets(browser: Browser, page: Path) -> None:  # noqa: F811
    for viewport in (DESKTOP, PHONES[0]):
        for theme in THEMES:
            with reading(browser, page.parent.as_uri(), viewport, theme) as reader:
                reader.page.goto(page.as_uri())
                assert barriers(reader.page) == []
                assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert reader.problems == []
                printed = reader.page.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2
