"""Every published number beside its recomputation, with a verdict.

Notebooks and the ledger page call the same function for a claim, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from survaudit.cohort.tables import Supplement
from survaudit.errors import ClaimError
from survaudit.follow_up.supplied import Supplied
from survaudit.ledger.claims import VERDICT_MEANINGS, Claim, Verdict, compare
from survaudit.ledger.recompute import RECOMPUTATIONS, Evidence, Finding
from survaudit.ledger.recompute_follow_up import WITH_FOLLOW_UP


@dataclass(frozen=True)
class LedgerRow:
    """One claim with its recomputation, verdict, the verdict that the register expects, and reason.

    ``with_follow_up`` tells whether a supplied follow-up went into it. The expected verdict is then the
    one on which paper and follow-up agree, and another one is a finding about the two.
    """

    claim: Claim
    finding: Finding
    verdict: Verdict
    expected: Verdict
    reason: str
    with_follow_up: bool = False

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one that the register expects."""
        return self.verdict is self.expected


@dataclass(frozen=True)
class Ledger:
    """All claims with their verdicts, in the order of the register."""

    rows: tuple[LedgerRow, ...]

    def __getitem__(self, claim_id: str) -> LedgerRow:
        """Return the row of one claim."""
        for row in self.rows:
            if row.claim.id == claim_id:
                return row
        raise ClaimError(f"no claim {claim_id!r}; the register has {', '.join(row.claim.id for row in self.rows)}")

    @property
    def unexpected(self) -> list[LedgerRow]:
        """The rows whose verdict is not the one that the register expects."""
        return [row for row in self.rows if not row.as_expected]

    def select(self, *claim_ids: str) -> Ledger:
        """Return the ledger of the named claims only, in the order named."""
        return Ledger(tuple(self[claim_id] for claim_id in claim_ids))

    def from_source(self, source: str) -> Ledger:
        """Return the ledger of what the paper says, or of the readings that its tables need."""
        return Ledger(tuple(row for row in self.rows if row.claim.source == source))

    def settled_by(self, notebook: str) -> Ledger:
        """Return the ledger of the claims that one page settles."""
        return Ledger(tuple(row for row in self.rows if Path(row.claim.notebook).stem == notebook))

    def verdicts(self) -> pd.DataFrame:
        """Count the claims with each verdict, those of the paper and the readings apart.

        Returns
        -------
        pandas.DataFrame
            By ``verdict``: its ``meaning``, ``of the paper`` and ``readings``. A verdict without any row is left out.
        """
        counts = {
            name: [sum(row.verdict is verdict for row in self.from_source(source).rows) for verdict in VERDICT_MEANINGS]
            for name, source in (("of the paper", "paper"), ("readings", "reading"))
        }
        verdicts = pd.Index([str(verdict) for verdict in VERDICT_MEANINGS], name="verdict")
        table = pd.DataFrame({"meaning": list(VERDICT_MEANINGS.values()), **counts}, index=verdicts)
        return table[table[list(counts)].any(axis="columns")]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a number, printed or recomputed (or a claim without one)."""
        records = []
        for row in self.rows:
            for name in dict.fromkeys([*row.claim.printed, *row.finding.values]) or [""]:
                record = {
                    "claim": row.claim.id,
                    "source": row.claim.source,
                    "where": row.claim.where,
                    "number": name,
                    "printed": row.claim.printed.get(name, ""),
                    "recomputed": row.finding.values.get(name),
                    "verdict": str(row.verdict),
                    "expected": str(row.expected),
                    "reason": row.reason,
                    "page": row.claim.notebook,
                }
                records.append(record)
        return pd.DataFrame(records)


def audit(supplement: Supplement, claims: Mapping[str, Claim], supplied: Supplied | None = None) -> Ledger:
    """Recompute every claim from the tables, and from a supplied follow-up if there is one.

    Parameters
    ----------
    supplement : Supplement
    claims : mapping of str to Claim
    supplied : Supplied, optional
        Settles the claims that the tables alone cannot. A follow-up of any other kind would say nothing
        about the paper, and is not accepted here.

    Returns
    -------
    Ledger

    Raises
    ------
    ClaimError
        If a claim and its function do not fit.

    Examples
    --------
    >>> from survaudit.ledger.claims import read_claims
    >>> from survaudit.cohort.tables import read_supplement
    >>> ledger = audit(read_supplement("data/raw"), read_claims("data/claims.yml"))
    >>> str(ledger["mrd-p-value"].verdict), ledger.unexpected
    ('contradicted', [])
    """
    evidence = Evidence(supplement, claims, supplied.follow_up if supplied else None)
    return Ledger(tuple(_judge(claim, evidence) for claim in claims.values()))


def _judge(claim: Claim, evidence: Evidence) -> LedgerRow:
    if claim.compute not in RECOMPUTATIONS:
        known = ", ".join(RECOMPUTATIONS)
        raise ClaimError(f"claim {claim.id}: no function {claim.compute!r} in recompute.py; there are {known}")
    expected, reason, function = claim.expected, claim.reason, RECOMPUTATIONS[claim.compute]
    settled = claim.expected_with_follow_up if evidence.follow_up else None
    if settled:
        if claim.compute not in WITH_FOLLOW_UP:
            raise ClaimError(f"claim {claim.id}: no function {claim.compute!r} in recompute_follow_up.py")
        expected, reason, function = settled, claim.reason_with_follow_up, WITH_FOLLOW_UP[claim.compute]
    finding = function(claim, evidence)
    verdict = finding.verdict
    if verdict is None:
        if set(finding.values) != set(claim.printed):
            raise ClaimError(f"claim {claim.id}: printed {sorted(claim.printed)}, recomputed {sorted(finding.values)}")
        order = list(Verdict)  # from the mildest to the gravest of the three that a comparison can give
        verdict = max((compare(claim.printed[name], value) for name, value in finding.values.items()), key=order.index)
    told = reason.format(**finding.values, **finding.facts).strip()
    return LedgerRow(claim, finding, verdict, expected, told, settled is not None)
