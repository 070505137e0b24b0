from __future__ import annotations

import numpy as np
import pytest
from lifelines.datasets import load_gbsg2

from survaudit.cutpoint.dose_response import spline_effect
from survaudit.errors import InputError


def cohort(slope: float, n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exponential times whose log hazard is linear in x, censored at random; no ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    times, limits = rng.exponential(np.exp(-slope * x)), rng.exponential(2.0, size=n)
    return x, np.minimum(times, limits), (times <= limits).astype(int)


def test_spline_finds_a_straight_line() -> None:
    x, time, event = cohort(0.7, n=4000, seed=1)
    curve = spline_effect(x, time, event).curve
    middle = curve[curve["x"].between(-1.5, 1.5)]
    truth = np.exp(0.7 * (middle["x"] - np.median(x)))
    assert ((middle["lower"] < truth) & (truth < middle["upper"])).mean() > 0.9
    assert np.abs(np.log(middle["hazard_ratio"] / truth)).max() < 0.15


def test_spline_is_one_at_the_median_and_does_not_depend_on_the_unit() -> None:
    x, time, event = cohort(0.4)
    effect, scaled = spline_effect(x, time, event), spline_effect(10 * x + 3, time, event)
    at_median = np.interp(np.median(x), effect.curve["x"], effect.curve["hazard_ratio"])
    assert at_median == pytest.approx(1.0, abs=0.01)
    assert scaled.p == pytest.approx(effect.p, rel=1e-4)
    np.testing.assert_allclose(scaled.curve["hazard_ratio"], effect.curve["hazard_ratio"], rtol=1e-3)


def test_what_cannot_be_used_is_refused() -> None:
    x, time, event = cohort(0.0, n=30)
    with pytest.raises(InputError, match="distinct values"):
        spline_effect(np.repeat([1.0, 2.0], 15), time, event)
    with pytest.raises(InputError, match="x: found shape"):
        spline_effect(x[:-1], time, event)
    with pytest.raises(InputError, match="event"):
        spline_effect(x, time, time)
    with pytest.raises(InputError, match="finite"):
        spline_effect(np.where(x == x[0], np.nan, x), time, event)


def test_the_public_cohort_is_the_one_that_the_notebooks_name() -> None:
    data = load_gbsg2()
    assert (len(data), int(data["cens"].sum())) == (686, 299)  # Schumacher et al. 1994; R TH.data
