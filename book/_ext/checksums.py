"""For whoever keeps a copy: publishes ``SHA256SUMS``, so that it can be checked with ``sha256sum --check``."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from survaudit.ledger.fingerprints import SUMS, fingerprints, sums_text

SPHINX_STAMP = ".buildinfo"  # of use to a second build into the same folder only, and `make book` empties it first
LAST = 999  # after every extension that still changes the finished pages


def write_sums(app: Sphinx, exception: Exception | None) -> None:
    """Write the fingerprint of every file of the finished site.

    Sphinx's stamp goes first: it hashes the folder of the Python environment, so that two readers who
    build the same site in folders of their own would find different sums.
    """
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir)
        (folder / SPHINX_STAMP).unlink(missing_ok=True)
        (folder / SUMS).write_text(sums_text(fingerprints(folder)), encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.connect("build-finished", write_sums, priority=LAST)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
