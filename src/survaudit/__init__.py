"""An open audit of a published 28-patient CAR-T survival analysis: ``import survaudit as sa``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Loaded when first asked for: who scans a cut-point need not wait for the ledger, nor load this paper.
_ROOM_OF = {
    "errors": ("InputError", "SourceFileError", "SurvAuditError"),
    "cohort.assumptions": ("Assumptions",),
    "cohort.bounds": ("bounds", "bounds_by_group"),
    "cohort.endpoints": ("endpoints",),
    "cohort.panels": ("PANELS",),
    "cohort.tables": ("read_supplement",),
    "survival.curves": ("kaplan_meier", "log_rank", "restricted_mean", "reverse_kaplan_meier"),
    "survival.hazards": ("cox", "firth_cox", "proportional_hazards"),
    "cutpoint.scan": ("scan_one_permutation_variance", "scan_stratified", "scan_two"),
    "cutpoint.selection": ("curves_at", "every_cut", "permutation_test"),
    "cutpoint.stability": ("bootstrap_cuts",),
    "immortal.episodes": ("episodes", "landmark", "mantel_byar", "simon_makuch", "time_dependent_cox"),
    "follow_up.comparison": ("compare_groups", "curves_of"),
    "follow_up.complete": ("read_synthetic",),
    "follow_up.reconstruct": ("reconstruct",),
    "follow_up.supplied": ("read_supplied",),
    "ledger.claims": ("read_claims",),
    "figures.cuts": ("draw_cut_figure",),
    "ledger.verdicts": ("audit",),
}
_PLACE = {name: (room, name) for room, names in _ROOM_OF.items() for name in names} | {
    # The two that a researcher calls first have the shortest names.
    "scan": ("cutpoint.scan", "scan_one"),
    "select": ("cutpoint.selection", "compare"),
}

__all__ = sorted(_PLACE)  # noqa: PLE0605 - computed from the table above


def __getattr__(name: str) -> Any:
    """Load a public name from its room."""
    if name not in _PLACE:
        raise AttributeError(f"module 'survaudit' has no attribute {name!r}")
    room, own = _PLACE[name]
    return getattr(import_module(f"survaudit.{room}"), own)


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
