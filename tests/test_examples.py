"""The two worked examples, and the best cut of every follow-up of an ensemble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from studies.worked_examples import (
    BLOCK,
    BLOCK_SIZE,
    PLACE,
    PRIOR,
    SEED,
    example_of_figure_1,
    example_of_figure_2,
)
from survaudit.cohort.assumptions import EVENT_AT_ASSESSMENT, Assumptions
from survaudit.cohort.tables import Supplement
from survaudit.cutpoint.scan import scan_one
from survaudit.errors import InputError
from survaudit.follow_up._many import log_rank_many
from survaudit.follow_up.complete import write_follow_up
from survaudit.follow_up.ensemble import PRIORS, best_cuts, draw
from survaudit.ledger.claims import Claim


@pytest.fixture(scope="module")
def mrd(supplement: Supplement) -> np.ndarray:
    return supplement.cohort["mrd_percent"].to_numpy()


def test_worked_examples_are_written_again_byte_for_byte(supplement: Supplement, tmp_path: Path) -> None:
    made = {
        "figure_s1.csv": example_of_figure_1(supplement.cohort),
        "figure_s2.csv": example_of_figure_2(supplement.cohort),
    }
    for name, follow_up in made.items():
        write_follow_up(follow_up, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (Path("data/synthetic") / name).read_bytes()


def test_the_second_example_prints_as_published_at_the_best_of_all_cuts(
    mrd: np.ndarray, claims: dict[str, Claim]
) -> None:
    rows = pd.read_csv("data/synthetic/figure_s2.csv")
    assert rows["patient"].tolist() == list(range(1, 29))
    time, event = rows["lfs_days"], rows["lfs_event"]
    chi2 = {}
    for cut in np.sort(mrd)[:-1]:
        high = mrd > cut
        chi2[cut] = logrank_test(time[high], time[~high], event[high], event[~high]).test_statistic
    best = max(chi2, key=chi2.__getitem__)
    assert f"{best:.1f}" == claims["mrd-cut-point"].printed["percent"]
    assert f"{chi2[best]:.2f}" == claims["mrd-chi-square"].printed["chi_square"]
    assert rows["kind"].eq("SYNTHETIC").all()
    assert rows["source"].str.contains("conditioned on the published cut-point").all()


def test_the_second_example_is_the_first_of_its_block(supplement: Supplement, mrd: np.ndarray) -> None:
    rng = np.random.default_rng([SEED, list(PRIORS).index(PRIOR), BLOCK])
    whole = Assumptions(non_responder_lfs=EVENT_AT_ASSESSMENT)
    ensemble = draw(supplement.cohort, PRIORS[PRIOR], rng, draws=BLOCK_SIZE, assumptions=whole)
    days, event = ensemble.days["LFS"], ensemble.event["LFS"]
    excess, variance = log_rank_many(days[: PLACE + 1], event[: PLACE + 1], mrd > 65.6)
    chi2 = excess**2 / variance
    # No earlier one prints so at this cut, best or not; that it is the best there is the test above.
    assert [row for row in range(PLACE + 1) if f"{chi2[row]:.2f}" == "5.59"] == [PLACE]


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
