"""For readers who compare with the paper: the role ``{printed}`` quotes a published number from the register.

``{printed}`mrd-negative-rate.percent``` gives the number as printed; the number's name may be left
out where a claim has only one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from survaudit.errors import ClaimError
from survaudit.ledger.claims import Claim, read_claims

REGISTER = Path("data") / "claims.yml"

# Once a build, since pages quote hundreds of numbers.
read_register = cache(read_claims)


def printed_number(claims: dict[str, Claim], reference: str) -> str:
    """Return the printed number that ``claim.name`` or ``claim`` refers to.

    Raises
    ------
    ClaimError
        If there is no such claim or number, or if a claim of several is named without one.
    """
    claim_id, _, name = reference.partition(".")
    if claim_id not in claims:
        raise ClaimError(f"no claim {claim_id!r} in {REGISTER.as_posix()}")
    printed = claims[claim_id].printed
    names = [name] if name else list(printed)
    if len(names) != 1 or names[0] not in printed:
        raise ClaimError(f"claim {claim_id!r} prints {', '.join(printed) or 'no number'}: name one of them")
    return printed[names[0]]


class PrintedRole(SphinxRole):
    """Insert a published number, marked as such for the style sheet."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the number; a wrong reference is an error, and so fails the build."""
        path = Path(self.env.srcdir) / REGISTER
        self.env.note_dependency(str(path))
        try:
            number = printed_number(read_register(path), self.text)
        except ClaimError as error:
            message = self.inliner.reporter.error(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.inline(self.rawtext, number, classes=["printed-number"])], []


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register the role with Sphinx."""
    app.add_role("printed", PrintedRole())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
