"""The days in which patients of this cohort could not fail, because of the group that they are in.

A transplanted patient had to live until the transplantation, and a patient infused twice until the second infusion.
The dates are cells of the tables. That a relapse would have kept a patient from the transplantation is assumed for
leukaemia-free survival: of those in remission, all without a relapse on record were transplanted, and nobody with one.
What the tables do not date, such as the relapse before a second infusion, is bounded by the assumptions of the book.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from survaudit.cohort.endpoints import LFS, OS, cut_off_range
from survaudit.cohort.schema import GROUPS, PUBLISHED
from survaudit.errors import InputError

# What a group's definition can guarantee, in the words of the book.
NEVER, RECORDED, IMMORTAL, DEFINED = (
    "never in remission",
    "relapse recorded",
    "immortal days",
    "defined by relapse",
)
FACTORS = (IMMORTAL, NEVER, RECORDED, DEFINED)
CUT_OFFS = ("earliest", "halfway", "latest")


def _days(cohort: pd.DataFrame, column: str) -> pd.Series:
    return (cohort[column] - cohort["infusion_1_date"]).dt.days


def guaranteed_days(cohort: pd.DataFrame) -> pd.DataFrame:
    """List, for each patient and endpoint, the days in which the event could not come.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.

    Returns
    -------
    pandas.DataFrame, one row a patient and endpoint
        ``patient``, ``group``, ``endpoint``, ``guaranteed_days`` since the first infusion, ``most_days`` (to
        publication: no follow-up is longer), and ``why``, empty where nothing is guaranteed.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = guaranteed_days(read_supplement("data/raw").cohort)
    >>> table.query("endpoint == 'LFS' and group == 'CART+HSCT'")["guaranteed_days"].agg(["min", "max"]).tolist()
    [32, 137]
    """
    hsct, second = _days(cohort, "hsct_date"), _days(cohort, "infusion_2_date")
    most = (PUBLISHED - cohort["infusion_1_date"]).dt.days
    parts = []
    for endpoint in (OS, LFS):
        # A second infusion asks that the patient lives; leukaemia-free is just what the patient no longer is.
        days = hsct.fillna(second) if endpoint == OS else hsct
        why = np.select(
            [hsct.notna(), days.notna()],
            ["had to be transplanted" + ", before any relapse" * (endpoint == LFS), "had to be infused again"],
            "",
        )
        part = cohort[["patient", "group"]].assign(endpoint=endpoint, guaranteed_days=days.fillna(0).astype(int))
        parts.append(part.assign(most_days=most, why=why))
    return pd.concat(parts, ignore_index=True)


def guaranteed_totals(cohort: pd.DataFrame) -> pd.DataFrame:
    """Sum the guaranteed days by endpoint and group.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.

    Returns
    -------
    pandas.DataFrame, one row an endpoint and group
        ``patients``, those ``guaranteed`` a day or more, ``shortest`` and ``longest`` among these, ``total_days``, and
        ``share_at_least``: their part of all days up to publication, which no real follow-up can exceed.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = guaranteed_totals(read_supplement("data/raw").cohort)
    >>> table.query("endpoint == 'LFS'")[["group", "guaranteed", "total_days"]].values.tolist()
    [['CART1', 0, 0], ['CART2', 0, 0], ['CART+HSCT', 10, 794]]
    """
    table = guaranteed_days(cohort)
    rows = []
    for endpoint in (OS, LFS):
        for group in GROUPS:
            own = table[(table["endpoint"] == endpoint) & (table["group"] == group)]
            days = own.loc[own["guaranteed_days"] > 0, "guaranteed_days"]
            limits = (int(days.min()), int(days.max())) if len(days) else (0, 0)
            share = float(days.sum() / own["most_days"].sum())
            rows.append((endpoint, group, len(own), len(days), *limits, int(days.sum()), share))
    names = ["endpoint", "group", "patients", "guaranteed", "shortest", "longest", "total_days", "share_at_least"]
    return pd.DataFrame(rows, columns=names)


def person_time(cohort: pd.DataFrame) -> pd.DataFrame:
    """Give every dated day to the state in which it was lived.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.

    Returns
    -------
    pandas.DataFrame, one row a patient and state
        ``patient``, ``group``, ``state``, ``from_days`` and ``to_days`` since the first infusion. After the last date
        of a row nothing is dated, so that its state ends at publication and ``dated`` is False.

    Examples
    --------
    The tables date no day that anyone lived after a transplantation.

    >>> from survaudit.cohort.tables import read_supplement
    >>> table = person_time(read_supplement("data/raw").cohort)
    >>> sorted(set(table.loc[table["dated"], "state"]))
    ['infused once']
    """
    hsct, second = _days(cohort, "hsct_date"), _days(cohort, "infusion_2_date")
    most = (PUBLISHED - cohort["infusion_1_date"]).dt.days
    rows = []
    for patient, group, h, s, end in zip(cohort["patient"], cohort["group"], hsct, second, most, strict=True):
        who = (int(patient), str(group))
        if pd.isna(h) and pd.isna(s):
            rows.append((*who, "infused once", 0, int(end), False))
            continue
        day, after = (int(s), "infused twice") if pd.isna(h) else (int(h), "transplanted")
        rows.append((*who, "infused once", 0, day, True))
        rows.append((*who, after, day, int(end), False))
    return pd.DataFrame(rows, columns=["patient", "group", "state", "from_days", "to_days", "dated"])


def follow_up_days(cohort: pd.DataFrame, cut_off: str = "halfway") -> tuple[int, ...]:
    """Return each patient's days from the first infusion to an assumed end of observation.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    cut_off : {"earliest", "halfway", "latest"}
        Between the first and the last day on which it can have been; the paper does not print it.

    Returns
    -------
    tuple of int
        In the order of the rows.

    Raises
    ------
    InputError
        If ``cut_off`` is another word.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> days = follow_up_days(read_supplement("data/raw").cohort, "earliest")
    >>> min(days), max(days)
    (29, 1571)
    """
    if cut_off not in CUT_OFFS:
        raise InputError(f"cut_off: found {cut_off!r}, expected one of {', '.join(CUT_OFFS)}; choose one")
    first, last = cut_off_range(cohort)
    day = first + (last - first) * CUT_OFFS.index(cut_off) / 2
    return tuple(int(days) for days in (day.normalize() - cohort["infusion_1_date"]).dt.days)
