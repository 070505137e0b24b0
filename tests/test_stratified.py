from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from survaudit.cutpoint.scan import scan_one, scan_stratified
from survaudit.errors import InputError


@pytest.fixture(scope="module")
def ovarian(project: Path) -> pd.DataFrame:
    return pd.read_csv(project / "data/reference/ovarian.csv", float_precision="round_trip")


def test_one_stratum_is_no_stratum(ovarian: pd.DataFrame) -> None:
    plain = scan_one(ovarian["age"], ovarian["futime"], ovarian["fustat"])
    scan = scan_stratified(ovarian["age"], ovarian["futime"], ovarian["fustat"], np.ones(len(ovarian)))
    np.testing.assert_allclose(scan.chi2, plain.chi2, rtol=1e-9)
    np.testing.assert_array_equal(scan.n_low, plain.n_low)


def test_a_covariate_that_only_tells_the_stratum_compares_nobody() -> None:
    scan = scan_stratified([1, 1, 2, 2], [1, 2, 3, 4], [1, 1, 1, 1], ["a", "a", "b", "b"])
    assert (scan.variance.tolist(), scan.chi2.tolist(), scan.p.tolist()) == ([0.0], [0.0], [1.0])


@pytest.mark.parametrize(
    ("x", "strata", "words"),
    [([1, 2, 3], ["a"] * 4, "3 values, 4 strata"), ([1, 1, 1, 1], ["a"] * 4, "one distinct"),
     ([1, 2, np.nan, 3], ["a"] * 4, "missing")],
)  # fmt: skip
def test_input_that_cannot_be_cut_is_refused(x: list[float], strata: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        scan_stratified(x, [1, 2, 3, 4], [1, 0, 1, 1], strata)
