from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from survaudit.cohort.tables import Supplement
from survaudit.cutpoint.scan import scan_one
from survaudit.errors import InputError, SourceFileError
from survaudit.follow_up.complete import write_follow_up
from survaudit.follow_up.conditioned import (
    KEPT,
    LEAST_GROUPS,
    SPLITS,
    WHOLE_COHORT,
    WINDOWS,
    Conditioned,
    block_of,
    file_name,
    high_fares_worse,
    matches,
    one_in,
    read_conditioned,
    split_bands,
)
from survaudit.follow_up.ensemble import PRIORS, draw
from survaudit.follow_up.ensemble_cuts import best_cuts
from survaudit.follow_up.examples import example_of_figure_1, example_of_figure_2
from survaudit.ledger.claims import half_unit, read_claims

FOLDER = Path("data/conditioned")
EVERY = [(prior, endpoint, split) for prior in PRIORS for endpoint in ("LFS", "OS") for split in SPLITS]


@pytest.fixture(scope="module")
def mrd(supplement: Supplement) -> np.ndarray:
    return supplement.cohort["mrd_percent"].to_numpy()


@pytest.mark.parametrize(("prior", "endpoint", "split"), EVERY)
def test_kept_follow_ups_have_what_they_were_kept_for(prior: str, endpoint: str, split: str, mrd: np.ndarray) -> None:
    kept = read_conditioned(FOLDER, prior, endpoint, split)
    for window, (low, high) in WINDOWS.items():
        for least in LEAST_GROUPS:
            days, event = kept.follow_ups(window, least)
            for row in np.random.default_rng(least).integers(0, len(days), 8):
                scan = scan_one(mrd, days[row], event[row], min_group=least)
                assert scan.best.n_low == SPLITS[split]
                assert low <= scan.best.chi2 < high


@pytest.mark.parametrize(("prior", "endpoint", "split"), EVERY)
def test_every_cell_is_full(prior: str, endpoint: str, split: str) -> None:
    kept = read_conditioned(FOLDER, prior, endpoint, split)
    for window in WINDOWS:
        for least in LEAST_GROUPS:
            assert len(kept.follow_ups(window, least)[0]) == KEPT


@pytest.mark.parametrize(("prior", "endpoint"), [(prior, endpoint) for prior in PRIORS for endpoint in ("LFS", "OS")])
def test_a_block_is_found_again(prior: str, endpoint: str, supplement: Supplement, mrd: np.ndarray) -> None:
    ensemble = block_of(supplement.cohort, PRIORS[prior], 0)
    every = matches(ensemble, mrd, endpoint, list(SPLITS))
    for split, found in every.items():
        kept = read_conditioned(FOLDER, prior, endpoint, split)
        # In the first block no cell is full yet, so that everything found there was kept.
        own = (kept.table["block"] == 0).to_numpy()
        pd.testing.assert_frame_equal(
            kept.table.loc[own, ["place", "chi2", "best_of"]].reset_index(drop=True), found, check_dtype=False
        )
        place = found["place"].to_numpy()
        np.testing.assert_array_equal(np.abs(kept.days[own]), ensemble.days[endpoint][place])
        np.testing.assert_array_equal(kept.days[own] > 0, ensemble.event[endpoint][place])


def test_matches_are_all_that_a_plain_loop_finds(supplement: Supplement, mrd: np.ndarray) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(4), draws=1500, assumptions=WHOLE_COHORT)
    low, high = WINDOWS["near"]
    seen = 0
    for split, n_low in SPLITS.items():
        expected = {}
        for place in range(len(ensemble)):
            scan = scan_one(mrd, ensemble.days["LFS"][place], ensemble.event["LFS"][place])
            if low <= scan.chi2[n_low - 1] < high:
                best_of = [
                    least for least in LEAST_GROUPS
                    if scan.chi2[n_low - 1] >= scan.chi2[least - 1 : 28 - least].max() - 1e-9
                ]  # fmt: skip
                expected |= {place: min(best_of)} if best_of else {}
        found = matches(ensemble, mrd, "LFS", [split])[split]
        assert dict(zip(found["place"], found["best_of"], strict=True)) == expected
        seen += len(expected)
    assert seen > 5


def test_what_was_searched_for_is_what_the_paper_prints(mrd: np.ndarray) -> None:
    claims = read_claims("data/claims.yml")
    printed = claims["mrd-chi-square"].printed["chi_square"]
    assert WINDOWS["printed"] == tuple(float(Decimal(printed) + side * half_unit(printed)) for side in (-1, 1))
    assert WINDOWS["near"][0] < WINDOWS["printed"][0] < WINDOWS["printed"][1] < WINDOWS["near"][1]
    percent = float(claims["mrd-cut-point"].printed["percent"])
    low, high = np.count_nonzero(mrd <= percent), np.count_nonzero(mrd < percent)
    assert {f"{low}|{len(mrd) - low}": low, f"{high}|{len(mrd) - high}": high} == SPLITS


def test_a_cell_is_the_first_that_were_found() -> None:
    count = KEPT + 10
    table = pd.DataFrame({"block": 0, "place": range(count), "chi2": 5.59, "best_of": [3] * 5 + [1] * (count - 5)})
    kept = Conditioned(table, np.ones((count, 28), np.int16), 1, "wide", "LFS", "23|5")
    assert kept.cell("printed", 3).tolist() == [True] * KEPT + [False] * 10
    assert kept.cell("near", 1).tolist() == [False] * 5 + [True] * KEPT + [False] * 5
    assert kept.full
    # Beyond the last place that any cell needs, nothing is kept.
    assert len(kept.trimmed().table) == KEPT + 5
    assert one_in(kept, least_group=5) == 1
    # A cell that did not fill was sought to the end; one that holds nothing was never found.
    few = Conditioned(table.iloc[:4], np.ones((4, 28), np.int16), 3, "wide", "LFS", "23|5")
    assert one_in(few, least_group=3) == 3 * few.draws_a_block / 4
    assert one_in(few, least_group=1) == float("inf")


def test_summaries_agree_with_a_plain_loop(mrd: np.ndarray) -> None:
    kept = read_conditioned(FOLDER, "late", "OS", "23|5")
    days, event = kept.follow_ups("printed", 5)
    high = mrd > np.sort(mrd)[22]
    worse = 0
    for own, died in zip(days, event, strict=True):
        test = scan_one(mrd, own, died)
        worse += test.statistic[22] > 0
    assert high_fares_worse(kept, mrd, least_group=5) == worse / len(days)
    table = split_bands(kept, mrd, np.array([0, 300]), least_group=5)
    assert table["n"].tolist() == [23, 23, 5, 5]
    assert table.loc[table["time_days"] == 0, "q05":].to_numpy().tolist() == [[1.0] * 5] * 2
    # On day 300 nobody can have been censored: each follow-up's curve is a plain share.
    shares = (days[:, high] > 300).mean(axis=1)
    assert table.iloc[-1]["q50"] == pytest.approx(np.median(shares))


def test_worked_examples_are_written_again_byte_for_byte(supplement: Supplement, tmp_path: Path) -> None:
    made = {
        "figure_s1.csv": example_of_figure_1(supplement.cohort),
        "figure_s2.csv": example_of_figure_2(supplement.cohort, FOLDER),
    }
    for name, follow_up in made.items():
        write_follow_up(follow_up, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (Path("data/synthetic") / name).read_bytes()


def test_the_second_example_prints_as_published(mrd: np.ndarray) -> None:
    rows = pd.read_csv("data/synthetic/figure_s2.csv")
    high = (mrd > 65.6)[rows["patient"] - 1]
    time, event = rows["lfs_days"], rows["lfs_event"]
    test = logrank_test(time[high], time[~high], event[high], event[~high])
    assert f"{test.test_statistic:.2f}" == "5.59"
    assert rows["kind"].eq("SYNTHETIC").all()
    assert rows["source"].str.contains("conditioned on the published cut-point").all()


def test_best_cuts_agree_with_the_scan(supplement: Supplement) -> None:
    cohort = supplement.cohort
    ensemble = draw(cohort, PRIORS["late"], np.random.default_rng(3), draws=40)
    for endpoint in ("OS", "LFS"):
        for column, least in (("mrd_percent", 1), ("age_years", 4), ("blasts_percent", 5)):
            found = best_cuts(ensemble, endpoint, cohort[column], least)
            has = ensemble.days[endpoint][0] >= 0
            for row in range(40):
                days, event = ensemble.days[endpoint][row, has], ensemble.event[endpoint][row, has]
                best = scan_one(cohort[column][has], days, event, min_group=least).best
                assert (found.cut[row], found.n_low[row]) == (best.cut, best.n_low)
                assert found.chi2[row] == pytest.approx(best.chi2)
    with pytest.raises(InputError, match="leaves no cut"):
        best_cuts(ensemble, "OS", cohort["mrd_percent"], 15)
    with pytest.raises(InputError, match="expected one number for each of 28"):
        best_cuts(ensemble, "OS", [1.0, 2.0])


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    name = file_name("wide", "LFS", "23|5")
    (tmp_path / name).write_bytes((FOLDER / name).read_bytes() + b"x")
    (tmp_path / "MANIFEST.csv").write_bytes((FOLDER / "MANIFEST.csv").read_bytes())
    with pytest.raises(SourceFileError, match="differs from its manifest"):
        read_conditioned(tmp_path, "wide", "LFS", "23|5")
    with pytest.raises(SourceFileError, match="make conditioned"):
        read_conditioned(tmp_path, "wide", "OS", "23|5")


def test_the_manifest_tells_of_every_file() -> None:
    manifest = pd.read_csv(FOLDER / "MANIFEST.csv").set_index("file")
    assert set(manifest.index) == {file_name(*names) for names in EVERY}
    for name, row in manifest.iterrows():
        assert hashlib.sha256((FOLDER / str(name)).read_bytes()).hexdigest() == row["sha256"]
