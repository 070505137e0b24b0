"""Kept Monte Carlo results: the ones of their manifest, made by this code, and found again when replayed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studies.cutpoint import CHI_SQUARE, CODE, KNOWN_EVENT, KNOWN_TIME, STUDIES, N
from survaudit.cutpoint.scan import scan_one
from survaudit.errors import SourceFileError
from survaudit.kept import code_version, pool_batches, read_study
from survaudit.ledger.verdicts import Ledger


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return project / "data" / "montecarlo"


def test_the_results_were_made_by_this_code(folder: Path) -> None:
    manifest = pd.read_csv(folder / "MANIFEST.csv").set_index("file")
    assert set(manifest.index) == {f"{study.name}.csv" for study in STUDIES}
    assert set(manifest["code"]) == {code_version(CODE)}, "the code has changed since: run `make montecarlo`"
    for study in STUDIES:
        row = manifest.loc[f"{study.name}.csv"]
        assert (row["seed"], row["blocks"]) == (study.seed, len(study.settings))
        assert row["rows"] == len(pd.read_csv(folder / f"{study.name}.csv"))


def test_documentation_may_change_and_no_statement_may(tmp_path: Path) -> None:
    def version(source: str) -> str:
        (tmp_path / "code.py").write_text(source)
        return code_version([str(tmp_path / "code.py")])

    first = version('"""Told."""\n\nX = 1\n\n\ndef f():\n    """Told."""\n    return X\n')
    assert version('"""Told\n\nanew."""\n# Why.\nX = 1\ndef f():\n    """Otherwise."""\n    return X\n') == first
    assert version("X = 2\ndef f():\n    return X\n") != first
    assert version('X = 1\ndef f():\n    """Told."""\n    return """X"""\n') != first


@pytest.mark.parametrize(
    ("name", "place"), [("worst_known", 0), ("worst_case", 18), ("calibration", 3), ("calibration", 20)]
)
def test_a_block_is_found_again_when_replayed(folder: Path, name: str, place: int) -> None:
    (study,) = [study for study in STUDIES if study.name == name]
    kept = pd.read_csv(folder / f"{name}.csv", float_precision="round_trip")
    for key, value in study.settings[place].items():
        kept = kept[kept[key] == value]
    again = study.block(place)
    assert len(again) > 0
    pd.testing.assert_frame_equal(kept.reset_index(drop=True), again, check_exact=True)


def test_the_studies_are_about_the_printed_numbers(ledger: Ledger) -> None:
    facts = ledger["mrd-cut-point"].finding.facts
    assert ledger["mrd-chi-square"].claim.printed["chi_square"] == str(CHI_SQUARE)
    assert ledger["n-patients"].claim.printed["patients"] == str(N)
    (worst,) = [study for study in STUDIES if study.name == "worst_case"]
    assert {setting["n_high"] for setting in worst.settings} == {facts["n_high"], facts["n_high_strict"]}


def test_the_known_pattern_can_give_the_printed_value() -> None:
    """Some six patients against the others must have a chi-square that prints as 5.59."""
    time, event = np.array(KNOWN_TIME, float), np.array(KNOWN_EVENT)
    deaths = np.flatnonzero(event)
    rng = np.random.default_rng(4)
    for _ in range(20_000):
        high = np.zeros(28)
        high[rng.choice(28, 6, replace=False)] = 1
        chi2 = scan_one(high, time, event).best.chi2 if high[deaths].any() else 0.0
        if f"{chi2:.2f}" == "5.59":
            return
    pytest.fail("no split of six against twenty-two was found that prints as 5.59")


def test_batches_are_pooled_into_one_share() -> None:
    rows = [{"n": 28, "replicates": 50, "batch": batch, "method": "m", "rejected": share, "standard_error": 0.1}
            for batch, share in enumerate((0.5, 0.7))]  # fmt: skip
    (pooled,) = pool_batches(pd.DataFrame(rows)).to_dict("records")
    assert pooled["rejected"] == pytest.approx(60 / 100)
    assert pooled["replicates"] == 100
    assert pooled["standard_error"] == pytest.approx(np.sqrt(0.6 * 0.4 / 100))


def test_changed_results_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "montecarlo"))
    path = copy / "calibration.csv"
    path.write_text(path.read_text().replace("28", "29", 1))
    with pytest.raises(SourceFileError, match="make montecarlo"):
        read_study(copy, "calibration")
    path.unlink()
    with pytest.raises(SourceFileError, match="make montecarlo"):
        read_study(copy, "calibration")
    with pytest.raises(SourceFileError, match="make montecarlo"):
        read_study(copy, "nothing")
