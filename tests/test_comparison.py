from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time

from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.errors import ClaimError, InputError
from survaudit.follow_up.comparison import compare_groups, curves_of
from survaudit.follow_up.complete import FollowUp, read_synthetic
from survaudit.ledger.verdicts import Ledger


@pytest.fixture(scope="module")
def example() -> FollowUp:
    return read_synthetic("data/synthetic/figure_s1.csv")


def median(fit: KaplanMeierFitter) -> float:
    """Where the curve falls below one half, or the middle of a stretch at one half, as R gives it."""
    curve = fit.survival_function_.iloc[:, 0]
    at_or_below, below = curve[curve < 0.5 + 1e-9], curve[curve < 0.5 - 1e-9]
    if at_or_below.empty:
        return float("nan")
    return (at_or_below.index[0] + (below.index[0] if len(below) else at_or_below.index[0])) / 2


@pytest.mark.parametrize("letter", PANELS)
def test_a_panel_agrees_with_another_library(example: FollowUp, letter: str) -> None:
    panel = PANELS[letter]
    rows = example.endpoint(panel.endpoint)
    result = compare_groups(rows, panel.groups, example.kind)
    first, second = (rows[rows["group"] == group] for group in panel.groups)
    test = logrank_test(first["time_days"], second["time_days"], first["event"], second["event"])
    assert result.log_rank.chi2 == pytest.approx(test.test_statistic, rel=1e-9)
    assert result.kind == "SYNTHETIC"
    assert result.log_rank.groups == panel.groups
    assert result.log_rank.events.tolist() == [first["event"].sum(), second["event"].sum()]
    fits = [KaplanMeierFitter().fit(own["time_days"], own["event"]) for own in (first, second)]
    assert result.to_frame()["median_days"].tolist() == pytest.approx([median(fit) for fit in fits], nan_ok=True)
    tau = result.difference.tau_days
    means = [restricted_mean_survival_time(fit, t=tau) for fit in fits]
    assert result.difference.estimate == pytest.approx(means[1] - means[0])


def test_the_mean_counts_to_the_last_day_on_which_both_curves_are_known() -> None:
    rows = pd.DataFrame({
        "group": ["a", "a", "a", "b", "b", "b"],
        "time_days": [1, 5, 9, 2, 3, 4],
        "event": [1, 1, 0, 1, 1, 1],
    })  # fmt: skip
    assert compare_groups(rows, ("a", "b"), "SYNTHETIC").difference.tau_days == 9
    assert compare_groups(rows.assign(event=[1, 1, 1, 1, 1, 0]), ("a", "b"), "SYNTHETIC").difference.tau_days == 4
    assert compare_groups(rows.assign(event=1), ("a", "b"), "SYNTHETIC").difference.tau_days == 9


def test_without_events_there_is_no_ratio_and_no_error() -> None:
    rows = pd.DataFrame({"group": ["a", "a", "b", "b"], "time_days": [1, 5, 2, 3], "event": 0})
    result = compare_groups(rows, ("a", "b"), "SYNTHETIC")
    assert result.hazards is None
    assert np.isnan(result.hazard_ratio).all()
    assert (result.log_rank.chi2, result.log_rank.p) == (0, 1)
    assert result.tests()["p"].isna().tolist() == [False, True, True, True]


def test_the_ratio_is_of_the_second_group() -> None:
    early = pd.DataFrame({"group": "a", "time_days": [1, 2, 3, 4, 9], "event": 1})
    late = pd.DataFrame({"group": "b", "time_days": [7, 8, 10, 11, 12], "event": 1})
    assert compare_groups(pd.concat([early, late]), ("a", "b"), "SYNTHETIC").hazard_ratio[0] < 1
    assert compare_groups(pd.concat([early, late]), ("b", "a"), "SYNTHETIC").hazard_ratio[0] > 1


def test_an_empty_group_is_named(example: FollowUp) -> None:
    with pytest.raises(InputError, match="nobody in CART9"):
        curves_of(example.endpoint("OS"), ["CART1", "CART9"])
    with pytest.raises(InputError, match="expected 'OS' or 'LFS'"):
        example.endpoint("PFS")
    with pytest.raises(InputError, match="none with LFS"):
        example.endpoint("LFS", [4, 5])


def test_the_panels_are_those_of_the_register(ledger: Ledger, supplement: Supplement) -> None:
    for panel in PANELS.values():
        claim = ledger[panel.claim].claim
        assert tuple(claim.options["arms"]) == panel.groups
        assert claim.claim.startswith({"OS": "Overall", "LFS": "Leukaemia-free"}[panel.endpoint])
        assert set(panel.groups) <= set(supplement.cohort["group"])
    with pytest.raises(ClaimError):
        ledger["figure-s1-g"]
