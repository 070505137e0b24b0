"""The claims that only follow-up can settle, recomputed from one that a user supplied.

The published figures name neither the rule of their cut nor, for the cut-point, the endpoint. Each way
to read them is computed, and each is told; a claim stands if one of them gives what is printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from survaudit.cohort.endpoints import LFS, OS
from survaudit.cohort.panels import PANELS
from survaudit.cutpoint.scan import scan_one
from survaudit.errors import ClaimError
from survaudit.follow_up.complete import FollowUp
from survaudit.ledger.claims import Claim, Verdict, compare
from survaudit.ledger.recompute import RECOMPUTATIONS, Evidence, Finding
from survaudit.survival.curves import kaplan_meier, log_rank


def survival_panel(claim: Claim, evidence: Evidence) -> Finding:
    """Compute a panel: the log-rank test, and each group's median."""
    panels = [panel for panel in PANELS.values() if panel.claim == claim.id]
    if not panels:
        raise ClaimError(f"claim {claim.id}: no panel of cohort/panels.py has this claim")
    (panel,) = panels
    both = _follow_up(evidence).endpoint(panel.endpoint)
    both = both[both["group"].isin(panel.groups)]
    test = log_rank(both["time_days"], both["event"], both["group"])
    facts: dict[str, object] = {"endpoint": panel.endpoint}
    for place, group in zip(("first", "second"), panel.groups, strict=True):
        own = both[both["group"] == group]
        curve = kaplan_meier(own["time_days"], own["event"], group)
        median = "not reached" if math.isnan(curve.median) else f"{curve.median:g} days"
        facts |= {place: group, f"n_{place}": curve.n, f"events_{place}": curve.n_events, f"median_{place}": median}
    return Finding({"chi_square": test.chi2, "p": test.p}, facts, Verdict.COMPUTED)


def mrd_cut_point(claim: Claim, evidence: Evidence) -> Finding:
    """Find the best of all cuts by either endpoint, named by either rule of inclusion."""
    values: dict[str, float] = {}
    told = []
    for endpoint, cohort in _with_mrd(evidence):
        best = scan_one(cohort["mrd_percent"], cohort["time_days"], cohort["event"]).best
        # The same split has two names: the largest value that is low, and the smallest that is high.
        above = float(cohort["mrd_percent"][cohort["mrd_percent"] > best.cut].min())
        values |= {f"{endpoint.lower()}_low": best.cut, f"{endpoint.lower()}_high": above}
        ties = f", and {len(best.tied_cuts) - 1} more cuts tie with it" if len(best.tied_cuts) > 1 else ""
        sides = f"{best.n_low} against {best.n_high}, chi-square {best.chi2:.2f}{ties}"
        told.append(f"by {endpoint} ({len(cohort)} patients) {sides}")
    facts = {**RECOMPUTATIONS["mrd_cut_point"](claim, evidence).facts, "told": "; ".join(told)}
    return Finding(values, facts, _mildest(claim.printed["percent"], values))


def mrd_chi_square(claim: Claim, evidence: Evidence) -> Finding:
    """Compute the log-rank statistic at the published cut, by either endpoint and rule of inclusion."""
    cut = float(evidence.claims["mrd-cut-point"].printed["percent"])
    values = {}
    for endpoint, cohort in _with_mrd(evidence):
        mrd = cohort["mrd_percent"]
        for side, high in (("low", mrd > cut), ("high", mrd >= cut)):
            values[f"{endpoint.lower()}_{side}"] = log_rank(cohort["time_days"], cohort["event"], high).chi2
    return Finding(values, {}, _mildest(claim.printed["chi_square"], values))


def _follow_up(evidence: Evidence) -> FollowUp:
    if evidence.follow_up is None:
        raise ClaimError("follow-up: found none, expected a supplied one; use the function of recompute.py without it")
    return evidence.follow_up


def _with_mrd(evidence: Evidence) -> Iterator[tuple[str, pd.DataFrame]]:
    mrd = evidence.supplement.patients[["patient", "mrd_percent"]]
    for endpoint in (OS, LFS):
        yield endpoint, _follow_up(evidence).endpoint(endpoint).merge(mrd, on="patient", validate="1:1")


def _mildest(printed: str, values: dict[str, float]) -> Verdict:
    """Return the verdict on the reading that comes nearest, since the paper does not say which it took."""
    order = list(Verdict)
    return min((compare(printed, value) for value in values.values() if np.isfinite(value)), key=order.index)


WITH_FOLLOW_UP: dict[str, Callable[[Claim, Evidence], Finding]] = {
    function.__name__: function for function in (survival_panel, mrd_cut_point, mrd_chi_square)
}
