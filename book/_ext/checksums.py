"""Publish ``SHA256SUMS`` with the site, so that anyone can check a copy with ``sha256sum --check``."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from survaudit.fingerprints import SUMS, fingerprints, sums_text

LAST = 999  # after every extension that still changes the finished pages


def write_sums(app: Sphinx, exception: Exception | None) -> None:
    """Write the fingerprint of every file of the finished site."""
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir)
        (folder / SUMS).write_text(sums_text(fingerprints(folder)), encoding="utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.connect("build-finished", write_sums, priority=LAST)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
