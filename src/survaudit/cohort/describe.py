"""The patients before any survival: Table 1, and how the groups differ before they were treated."""

from __future__ import annotations

import itertools

import pandas as pd
from scipy import stats

from survaudit.cohort.schema import GROUPS, NOT_ASSESSED, REMISSIONS

# A patient with less than one per cent of leukaemic cells has little disease left to treat.
LOW_MRD_PERCENT = 1.0

_CATEGORIES = {
    "sex": "Sex",
    "disease_status": "Disease status",
    "complex_karyotype": "Complex karyotype",
    "severe_crs": "Severe CRS",
    "response_1": "Response",
}
_MEASURES = {
    "age_years": "Age (years)",
    "mrd_percent": "MRD (%)",
    "blasts_percent": "Blasts in marrow (%)",
    "n_previous_therapies": "Earlier therapies",
    "n_relapses": "Earlier relapses",
    "transduction_percent": "Transduction (%)",
    "dose_1e6_per_kg": "Dose (million per kg)",
}


def table_one(cohort: pd.DataFrame) -> pd.DataFrame:
    """Describe the patients, overall and by group, as papers do in their first table.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.

    Returns
    -------
    pandas.DataFrame
        Columns ``Characteristic``, ``Value``, ``Missing``, ``Overall`` and one a group; cells hold
        counts with percentages, or the median with the range. No P values: the groups were formed
        by what happened later, so that a test of their baseline would test nothing.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = table_one(read_supplement("data/raw").cohort)
    >>> table.set_index(["Characteristic", "Value"]).loc[("Sex", "Female"), "Overall"]
    '16 (57.1)'
    """
    samples = {"Overall": cohort} | {group: cohort[cohort["group"] == group] for group in GROUPS}
    counts = {sample: len(each) for sample, each in samples.items()}
    rows: list[dict[str, object]] = []
    rows.append({"Characteristic": "Patients", "Value": "n", "Missing": "", **counts})
    for column, name in _MEASURES.items():
        cells = {sample: _median_and_range(each[column]) for sample, each in samples.items()}
        missing = cohort[column].isna().sum()
        rows.append({"Characteristic": name, "Value": "median [min to max]", "Missing": missing, **cells})
    for column, name in _CATEGORIES.items():
        for level in sorted(cohort[column].unique()):
            cells = {sample: _count_and_percent(each[column] == level) for sample, each in samples.items()}
            value = {True: "yes", False: "no"}.get(level, level)
            rows.append({"Characteristic": name, "Value": value, "Missing": "", **cells})
    return pd.DataFrame(rows)


def _median_and_range(values: pd.Series) -> str:
    """Return a median with its range; the residual disease has two decimals, and what is counted no needless one."""
    decimals = 2 if values.name == "mrd_percent" else 1
    numbers = (values.median(), values.min(), values.max())
    middle, least, most = (f"{float(number):.{decimals}f}".removesuffix(".0") for number in numbers)
    return f"{middle} [{least} to {most}]"


def _count_and_percent(chosen: pd.Series) -> str:
    return f"{chosen.sum()} ({100 * chosen.mean():.1f})"


def group_differences(cohort: pd.DataFrame) -> pd.DataFrame:
    """Count, by group, what set the groups apart before a survival time could.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.

    Returns
    -------
    pandas.DataFrame, one row a group in the order of ``GROUPS``
        ``patients``; ``low_mrd`` (below 1% before the infusion, a limit of ours); ``no_blasts`` before;
        ``assessed`` for response, and of these ``mrd_negative_response``, ``mrd_positive_response`` and
        ``no_response``; ``not_assessed``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> group_differences(read_supplement("data/raw").cohort)["low_mrd"].to_dict()
    {'CART1': 1, 'CART2': 0, 'CART+HSCT': 4}
    """
    response = cohort["response_1"]
    counts = pd.DataFrame(
        {
            "patients": True,
            "low_mrd": cohort["mrd_percent"] < LOW_MRD_PERCENT,
            "no_blasts": cohort["blasts_percent"] == 0,
            "assessed": response != NOT_ASSESSED,
            "mrd_negative_response": response == REMISSIONS[0],
            "mrd_positive_response": response == REMISSIONS[1],
            "no_response": response == "NR",
            "not_assessed": response == NOT_ASSESSED,
        }
    )
    return counts.groupby(cohort["group"], observed=False).sum()


def exact_test(counts: pd.DataFrame, column: str, of: str = "patients") -> float:
    """Return the exact P of equal proportions in all groups (Freeman and Halton, 1951).

    The sum of the probabilities, with all margins fixed, of every table that is as improbable as
    the one observed, or more.

    Parameters
    ----------
    counts : pandas.DataFrame, one row a group
        What ``group_differences`` returns.
    column : str
        Which count to compare.
    of : str
        The number that it is counted out of.

    Returns
    -------
    float
        From 0 to 1.

    Examples
    --------
    >>> round(exact_test(pd.DataFrame({"patients": [2, 2], "with": [2, 0]}), "with"), 6)
    0.333333
    """
    sizes, observed = counts[of].to_numpy(), counts[column].to_numpy()
    total = observed.sum()
    tables = [table for table in itertools.product(*(range(n + 1) for n in sizes)) if sum(table) == total]
    probability = stats.multivariate_hypergeom.pmf(tables, sizes, total)
    limit = stats.multivariate_hypergeom.pmf(observed, sizes, total)
    # Equal probabilities differ by rounding noise; a relative 1e-9 tells them from unequal ones.
    return float(probability[probability <= limit * (1 + 1e-9)].sum())
