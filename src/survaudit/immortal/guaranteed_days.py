"""The days in which patients of this cohort could not fail, because of the group that they are in.

A transplanted patient had to live until the transplantation, and a patient infused twice until the second infusion.
The dates are cells of the tables. That a relapse would have kept a patient from the transplantation is assumed for
leukaemia-free survival: of those in remission, all without a relapse on record were transplanted, and nobody with one.
What the tables do not date, such as the relapse before a second infusion, is bounded by the assumptions of the book.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from survaudit.cohort.assumptions import Assumptions
from survaudit.cohort.endpoints import LFS, OS, cut_off_range
from survaudit.cohort.panels import PANELS
from survaudit.cohort.schema import GROUPS, PUBLISHED, REMISSIONS
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


def panel_factors(panel: str) -> tuple[str, ...]:
    """Return what the definitions of a panel's two groups guarantee.

    Parameters
    ----------
    panel : {"A", "B", "C", "D", "E", "F"}
        The letter.

    Returns
    -------
    tuple of str
        Some of ``FACTORS``.

    Examples
    --------
    >>> panel_factors("D")
    ('relapse recorded', 'immortal days', 'defined by relapse')
    """
    endpoint, arms = PANELS[panel].endpoint, PANELS[panel].groups
    factors = {
        NEVER: "CART1" in arms,
        RECORDED: endpoint == LFS,
        IMMORTAL: "CART+HSCT" in arms or endpoint == OS,
        DEFINED: endpoint == LFS and "CART2" in arms,
    }
    return tuple(name for name, there in factors.items() if there)


def windows(
    cohort: pd.DataFrame,
    panel: str,
    factors: Collection[str],
    *,
    hsct_relapse_recorded: bool = False,
    cut_off: str = "halfway",
) -> pd.DataFrame:
    """Return where each patient's event must lie if the given factors are all that the groups guarantee.

    Whoever was assessed lived, and who responded was in remission, on the assumed day of the assessment; that is true
    of every group, and no factor.

    Parameters
    ----------
    cohort : pandas.DataFrame
        ``Supplement.cohort``.
    panel : {"A", "B", "C", "D", "E", "F"}
    factors : collection of str
        Some of ``panel_factors``. ``never in remission``: non-responders, and the patient who died of CRS, are in CART1
        with their early events; without it they are left out (of OS, only the latter). ``relapse recorded``: a relapse
        that is in the tables came by the cut-off. ``immortal days``: none before the treatment that names the group.
        ``defined by relapse``: CART2 relapsed before the second collection.
    hsct_relapse_recorded : bool
        Whether "CD19+" after transplantation is a recorded relapse too (reading a), or none (reading b).
    cut_off : {"earliest", "halfway", "latest"}

    Returns
    -------
    pandas.DataFrame, one row a patient of the two groups
        ``patient``, ``group``, ``second`` (whether of the second arm), ``low`` and ``high`` (the event lies in
        ``(low, high]``), ``censor`` (the last day of observation).

    Raises
    ------
    InputError
        If ``cut_off`` is another word.

    Examples
    --------
    Whoever was transplanted was free of leukaemia until then.

    >>> from survaudit.cohort.tables import read_supplement
    >>> table = windows(read_supplement("data/raw").cohort, "D", ["immortal days"])
    >>> table.groupby("group", observed=True)["low"].max().to_dict()
    {'CART+HSCT': 137.0, 'CART2': 28.0}
    """
    endpoint, (first, second) = PANELS[panel].endpoint, PANELS[panel].groups
    chosen = Assumptions()
    frame = pd.DataFrame({"patient": cohort["patient"], "group": cohort["group"].astype(str)})
    frame["censor"] = np.array(follow_up_days(cohort, cut_off), dtype=float)
    frame = frame.assign(second=frame["group"] == second, low=float(chosen.response_day), high=np.inf)
    response = cohort["response_1"]
    died_of_crs = ~response.isin((*REMISSIONS, "NR"))
    early = died_of_crs if endpoint == OS else ~response.isin(REMISSIONS)
    is_hsct, is_second = frame["group"] == "CART+HSCT", frame["group"] == "CART2"
    if endpoint == LFS and RECORDED in factors:
        recorded = ~is_hsct | hsct_relapse_recorded
        frame.loc[recorded, "high"] = frame["censor"]
    if endpoint == LFS and DEFINED in factors:
        frame.loc[is_second, "high"] = _days(cohort, "collection_2_date")
    if IMMORTAL in factors:
        until = _days(cohort, "hsct_date").fillna(_days(cohort, "infusion_2_date") if endpoint == OS else 0.0)
        frame["low"] = np.fmax(frame["low"], until.astype(float))
    frame.loc[early, "low"] = np.where(died_of_crs[early], 0.0, chosen.response_day - 1.0)
    frame.loc[early, "high"] = np.where(died_of_crs[early], chosen.crs_death_within_days, chosen.response_day)
    kept = frame["group"].isin((first, second)) & (~early | (NEVER in factors))
    return frame[kept].reset_index(drop=True)
