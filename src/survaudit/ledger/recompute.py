"""One pure function a claim: from the tables to the recomputed value, or to why there is none.

``data/claims.yml`` names the function of each claim; ``ledger`` calls it and gives the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pandas as pd
from scipy import stats

from survaudit.cohort.describe import group_differences
from survaudit.cohort.endpoints import OS
from survaudit.cohort.schema import NOT_ASSESSED, RELAPSES, REMISSIONS
from survaudit.cohort.tables import Supplement
from survaudit.cutpoint.nulls import null_table
from survaudit.errors import ClaimError
from survaudit.follow_up.complete import FollowUp
from survaudit.immortal.guaranteed_days import guaranteed_totals
from survaudit.ledger.claims import Claim, Verdict, fractions_printed_as, half_unit


@dataclass(frozen=True)
class Finding:
    """What a recomputation found.

    Attributes
    ----------
    values : mapping of str to float
        Recomputed numbers under the names of the printed ones.
    facts : mapping
        Whatever else the reason quotes.
    verdict : Verdict or None
        Set where no comparison of numbers can decide; None leaves it to ``compare``.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Evidence:
    """What recomputations may read: the tables, the other claims as printed, and follow-up if there is any."""

    supplement: Supplement
    claims: Mapping[str, Claim]
    follow_up: FollowUp | None = None


def patient_count(_: Claim, evidence: Evidence) -> Finding:
    """Count the patients and the calendar years of their treatment."""
    treatments = evidence.supplement.treatments
    first, last = (
        treatments["infusion_1_date"].min(),
        treatments[["infusion_2_date", "hsct_date"]].max().max(),
    )
    last = max(last, treatments["infusion_1_date"].max())
    values = {"patients": len(treatments), "first_year": first.year, "last_year": last.year}
    return Finding(values, {"first_day": _long_date(first), "last_day": _long_date(last)})


def group_counts(_: Claim, evidence: Evidence) -> Finding:
    """Count the patients of each treatment group."""
    counts = evidence.supplement.treatments["group"].value_counts()
    return Finding({"hsct": int(counts["CART+HSCT"]), "cart2": int(counts["CART2"]), "cart1": int(counts["CART1"])})


def not_evaluable_count(_: Claim, evidence: Evidence) -> Finding:
    """Count the patients whose response was not assessed."""
    treatments = evidence.supplement.treatments
    missing = treatments.loc[treatments["response_1"] == NOT_ASSESSED, "patient"]
    return Finding({"patients": len(missing)}, {"who": _join(missing)})


def remission_rate(claim: Claim, evidence: Evidence) -> Finding:
    """Count complete remissions among the patients whose response was assessed."""
    return _response_rate(evidence, REMISSIONS, claim.printed["percent"])


def mrd_negative_rate(claim: Claim, evidence: Evidence) -> Finding:
    """Count remissions without residual disease among the patients assessed."""
    return _response_rate(evidence, REMISSIONS[:1], claim.printed["percent"])


def _response_rate(evidence: Evidence, responses: tuple[str, ...], printed: str) -> Finding:
    response = evidence.supplement.treatments["response_1"]
    assessed = int((response != NOT_ASSESSED).sum())
    count = int(response.isin(responses).sum())
    possible = fractions_printed_as(printed, len(response))
    facts = {"assessed": assessed, "patients_in_all": len(response), "n_possible": len(possible)}
    return Finding({"patients": count, "percent": 100 * count / assessed}, facts)


def severe_crs(_: Claim, evidence: Evidence) -> Finding:
    """Split the patients with severe CRS by whether the tables record a state after it.

    The tables do not grade CRS. A patient with a response recorded after the infusion did not die
    of it; whoever has none is the only candidate for the death.
    """
    cohort = evidence.supplement.cohort
    severe = cohort[cohort["severe_crs"]]
    no_state = severe[severe["response_1"] == NOT_ASSESSED]
    alive = len(severe) - len(no_state)
    values = {"grade_3_4": alive, "percent": 100 * alive / len(cohort), "grade_5": len(no_state)}
    return Finding(values, {"severe": len(severe), "who": _join(no_state["patient"]), "patients_in_all": len(cohort)})


def severe_crs_among_assessed(claim: Claim, evidence: Evidence) -> Finding:
    """Relate the survivors of severe CRS to the patients whose response was assessed."""
    alive = severe_crs(claim, evidence).values["grade_3_4"]
    assessed = int((evidence.supplement.treatments["response_1"] != NOT_ASSESSED).sum())
    return Finding({"grade_3_4": alive, "percent": 100 * alive / assessed}, {"assessed": assessed})


def long_term_survival(_: Claim, evidence: Evidence) -> Finding:
    """Ask whether the last column's "CD19+" lets the title's claim stand under every reading."""
    treatments = evidence.supplement.treatments
    transplanted = treatments[treatments["hsct_date"].notna()]
    marked = int(transplanted["relapse_hsct"].isin(RELAPSES).sum())
    facts = {"transplanted": len(transplanted), "marked": marked}
    # Read as relapses, the marks leave no one free of leukaemia; read as antigen status, they say nothing.
    return Finding({}, facts, Verdict.AMBIGUOUS if marked else _without_follow_up(evidence))


def survival_panel(claim: Claim, evidence: Evidence) -> Finding:
    """Ask whether the tables hold the dates from which a panel's curves would be drawn, and what they guarantee."""
    treatments = evidence.supplement.treatments
    group, remission = treatments["group"], treatments["response_1"].isin(REMISSIONS)
    first, second = (str(arm) for arm in _options_list(claim, "arms"))
    facts: dict[str, object] = {
        "first": first,
        "second": second,
        "n_first": (group == first).sum(),
        "n_second": (group == second).sum(),
        "patients_in_all": len(treatments),
        "never": ((group == "CART1") & ~remission).sum(),
    }
    totals = guaranteed_totals(evidence.supplement.cohort).set_index(["endpoint", "group"])
    for name, arm in (("hsct", "CART+HSCT"), ("cart2", "CART2")):
        for what in ("shortest", "longest", "total_days"):
            facts[f"{name}_{what}"] = totals.loc[(OS, arm), what]
    return Finding({}, facts, _without_follow_up(evidence))


# Blasts and MRD of one sample may differ by method, but hardly by half of all cells.
FAR_APART_PERCENT = 50

# Of the null cohorts behind the verdict on the selected cut; another seed moves its shares by about 0.001.
NULL_SEED = 20211029
NULL_REPLICATES = 200_000  # a Monte Carlo error of a tenth of a point, so that a share can be told to that digit
USUAL_LEVEL = 0.05

OUTCOME_DATES = frozenset({"death_date", "relapse_date", "last_follow_up_date"})


def _without_follow_up(evidence: Evidence) -> Verdict:
    dated = OUTCOME_DATES & set(evidence.supplement.cohort.columns)
    return Verdict.OPEN if dated else Verdict.NOT_DERIVABLE


def mrd_cut_point(claim: Claim, evidence: Evidence) -> Finding:
    """Find whose MRD the cut-point is, and how it splits the cohort by either rule of inclusion."""
    cut = float(claim.printed["percent"])
    patients = evidence.supplement.patients
    mrd = patients["mrd_percent"]
    facts = {
        "owner": _join(patients.loc[mrd == cut, "patient"]),
        "n_low": int((mrd <= cut).sum()),
        "n_high": int((mrd > cut).sum()),
        "n_low_strict": int((mrd < cut).sum()),
        "n_high_strict": int((mrd >= cut).sum()),
        "high": _join(patients.loc[mrd > cut, "patient"]),
        "n_cuts": mrd.nunique() - 1,
    }
    return Finding({}, facts, _without_follow_up(evidence))


def mrd_chi_square(_: Claim, evidence: Evidence) -> Finding:
    """Ask whether the tables hold the times from which the statistic would be computed."""
    return Finding({}, {}, _without_follow_up(evidence))


def mrd_p_value(claim: Claim, evidence: Evidence) -> Finding:
    """Recompute P from the printed chi-square on one degree of freedom, rounding included."""
    chi_square = evidence.claims["mrd-chi-square"].printed["chi_square"]
    centre, half = float(chi_square), float(half_unit(chi_square))
    p_centre, p_half = float(claim.printed["p"]), float(half_unit(claim.printed["p"]))
    facts = {
        "chi_square": centre,
        "p_least": float(stats.chi2.sf(centre + half, 1)),
        "p_most": float(stats.chi2.sf(centre - half, 1)),
        "chi_square_least": float(stats.chi2.isf(p_centre + p_half, 1)),
        "chi_square_most": float(stats.chi2.isf(p_centre - p_half, 1)),
        # What both would be if digits were cut off: the printed number or more, and less than one unit more.
        "cut_off_least": max(centre, float(stats.chi2.isf(p_centre + 2 * p_half, 1))),
        "cut_off_most": min(centre + 2 * half, float(stats.chi2.isf(p_centre, 1))),
    }
    return Finding({"p": float(stats.chi2.sf(centre, 1))}, facts)


def null_shares(evidence: Evidence, chi2: float | None = None) -> pd.DataFrame:
    """Tabulate how often the best cut of a cohort without any effect reaches a chi-square, or the printed one.

    What was allowed is not printed, so the least groups run from one patient to the smaller side of the
    published cut by either rule of inclusion, and the censoring from none to 60%, at random and
    without ties.

    Returns
    -------
    pandas.DataFrame
        As ``NullTable.to_frame``, with ``n_cuts``: how many of the cohort's cuts each least group admits.
    """
    mrd = evidence.supplement.patients["mrd_percent"]
    cut = float(evidence.claims["mrd-cut-point"].printed["percent"])
    printed = float(evidence.claims["mrd-chi-square"].printed["chi_square"])
    table = null_table(
        printed if chi2 is None else chi2,
        rng=np.random.default_rng(NULL_SEED),
        n=len(mrd),
        min_groups=range(1, int((mrd >= cut).sum()) + 1),
        replicates=NULL_REPLICATES,
    ).to_frame()
    # Without ties in the covariate, every size of the low group is a cut.
    return table.assign(n_cuts=len(mrd) + 1 - 2 * table["min_group"])


def mrd_p_selection(_: Claim, evidence: Evidence) -> Finding:
    """Hold the printed chi-square against the best cuts of cohorts without any effect."""
    table = null_shares(evidence).set_index("min_group")
    mrd = evidence.supplement.patients["mrd_percent"]
    n_high = int((mrd > float(evidence.claims["mrd-cut-point"].printed["percent"])).sum())
    strict, free = table.loc[n_high], table.loc[1]
    facts = {
        "n_patients": len(mrd),
        "n_high": n_high,
        "n_cuts": int(strict["n_cuts"].iloc[0]),
        "least": float(strict["share"].min()),
        "most": float(strict["share"].max()),
        "free": float(free["share"].max()),
    }
    return Finding({}, facts, Verdict.UNSUPPORTED if table["share"].min() > USUAL_LEVEL else Verdict.OPEN)


def neurotoxicity(_: Claim, evidence: Evidence) -> Finding:
    """Look for a column that bears on neurotoxicity."""
    columns = [name for name in evidence.supplement.cohort.columns if "neuro" in name or "icans" in name]
    return Finding({}, {"n_columns": len(columns)}, Verdict.OPEN if columns else Verdict.NOT_DERIVABLE)


# What the tables themselves leave in doubt. No number of the paper is at stake in these rows, but
# every analysis of the tables has to decide them.


def fixed_dose(_: Claim, evidence: Evidence) -> Finding:
    """Ask whether the column of doses varies, as measured doses would."""
    dose = evidence.supplement.patients["dose_1e6_per_kg"]
    facts = {"patients": len(dose), "doses": dose.nunique(), "dose": f"{dose.iloc[0]:g}"}
    return Finding({}, facts, Verdict.AMBIGUOUS if dose.nunique() == 1 else Verdict.REPRODUCED)


def blasts_unit(_: Claim, evidence: Evidence) -> Finding:
    """Ask whether the column of blasts could be of another unit than per cent."""
    blasts = evidence.supplement.patients["blasts_percent"]
    repairs = evidence.supplement.repairs
    no_unit = repairs["reason"].str.contains("no unit is printed").any()
    return Finding({}, {"largest": f"{blasts.max():g}"}, Verdict.AMBIGUOUS if no_unit else Verdict.REPRODUCED)


def blasts_against_mrd(_: Claim, evidence: Evidence) -> Finding:
    """Name the patients whose blasts and MRD cannot come from one sample."""
    patients = evidence.supplement.patients
    mrd, blasts = patients["mrd_percent"], patients["blasts_percent"]
    none = patients[(blasts == 0) & (mrd >= FAR_APART_PERCENT / 5)]
    far = patients[(blasts - mrd) >= FAR_APART_PERCENT]
    facts = {
        "none": _join(none["patient"]),
        "none_mrd": ", ".join(f"{value:.0f}" for value in none["mrd_percent"]),
        "far": _join(far["patient"]),
        "far_apart": FAR_APART_PERCENT,
    }
    return Finding({}, facts, Verdict.AMBIGUOUS if len(none) else Verdict.REPRODUCED)


def mrd_digits(_: Claim, evidence: Evidence) -> Finding:
    """Count the decimals with which the values of the cut-point's covariate are printed."""
    exponents = [Decimal(f"{value:g}").as_tuple().exponent for value in evidence.supplement.patients["mrd_percent"]]
    decimals = pd.Series([max(0, -int(exponent)) for exponent in exponents])
    facts = {"fewest": decimals.min(), "most": decimals.max(), "n_fewest": int((decimals == decimals.min()).sum())}
    return Finding({}, facts, Verdict.AMBIGUOUS if decimals.nunique() > 1 else Verdict.REPRODUCED)


def remission_at_entry(_: Claim, evidence: Evidence) -> Finding:
    """Count, among the complete remissions, the patients without blasts before the infusion."""
    cohort = evidence.supplement.cohort
    remission = cohort[cohort["response_1"].isin(REMISSIONS)]
    before = remission[remission["blasts_percent"] == 0]
    facts = {"remission": len(remission), "before": len(before), "who": _join(before["patient"])}
    return Finding({}, facts, Verdict.AMBIGUOUS if len(before) else Verdict.REPRODUCED)


def groups_before_treatment(_: Claim, evidence: Evidence) -> Finding:
    """Count what set the groups apart before the treatments that they are named after."""
    table = group_differences(evidence.supplement.cohort)
    facts = {
        f"{column}_{group.lower().replace('cart+', '')}": int(table.loc[group, column])
        for group in table.index
        for column in table.columns
    }
    differ = table["mrd_negative_response"].div(table["patients"]).nunique() > 1
    return Finding({}, facts, Verdict.UNSUPPORTED if differ else Verdict.OPEN)


def treatment_sequence(_: Claim, evidence: Evidence) -> Finding:
    """Ask whether every transplantation followed the infusion, and a remission."""
    transplanted = evidence.supplement.treatments.dropna(subset="hsct_date")
    after = transplanted["hsct_date"] > transplanted["infusion_1_date"]
    days = (transplanted["hsct_date"] - transplanted["infusion_1_date"]).dt.days
    in_order = after & transplanted["response_1"].isin(REMISSIONS)
    facts = {"transplanted": len(transplanted), "in_order": int(in_order.sum())}
    facts |= {"shortest": int(days.min()), "longest": int(days.max())}
    return Finding({}, facts, Verdict.REPRODUCED if in_order.all() else Verdict.CONTRADICTED)


def _long_date(day: pd.Timestamp) -> str:
    return f"{day.day} {day:%B %Y}"


def _join(numbers: pd.Series) -> str:
    return ", ".join(map(str, numbers))


def _options_list(claim: Claim, name: str) -> list[object]:
    value = claim.options.get(name)
    if not isinstance(value, list):
        raise ClaimError(f"claim {claim.id}: options need a list {name!r}")
    return value


RECOMPUTATIONS: dict[str, Callable[[Claim, Evidence], Finding]] = {
    function.__name__: function
    for function in (
        patient_count,
        group_counts,
        not_evaluable_count,
        remission_rate,
        mrd_negative_rate,
        severe_crs,
        severe_crs_among_assessed,
        long_term_survival,
        survival_panel,
        mrd_cut_point,
        mrd_chi_square,
        mrd_p_value,
        mrd_p_selection,
        neurotoxicity,
        fixed_dose,
        blasts_unit,
        blasts_against_mrd,
        mrd_digits,
        remission_at_entry,
        groups_before_treatment,
        treatment_sequence,
    )
}
