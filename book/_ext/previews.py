"""For readers who are sent a link: title, question and a picture, as Open Graph meta tags.

Addresses have to be complete there. Without ``html_baseurl`` nobody knows the site's, and the tags
that need one are left out, and with them the picture.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LENGTH = 200  # what most readers of these tags show
PICTURE = "_static/preview.png"
INCHES, DOTS = (8.0, 4.2), 150  # 1200 by 630 pixels, the shape for which readers of these tags have room
SEEN = "IDENTIFIED. Between which bounds overall survival must run in each group, by the two published tables."


def description(document: nodes.document) -> str:
    """Return the question that a page asks, its lead, or its first paragraph, shortened at a word."""
    found = [
        paragraph for paragraph in document.findall(nodes.paragraph) if "notebook-download" not in paragraph["classes"]
    ]
    lead = [
        " ".join(each.astext().split())
        for each in found
        if "lead" in getattr(each.parent, "attributes", {}).get("classes", [])
    ]
    paragraphs = [" ".join(each.astext().split()) for each in found]
    asked = [text.removeprefix("The question.").strip() for text in paragraphs if text.startswith("The question.")]
    (text,) = (asked or lead or paragraphs or [""])[:1]
    return text if len(text) <= LENGTH else text[:LENGTH].rsplit(" ", 1)[0] + " …"


def add_tags(app: Sphinx, page: str, _: str, context: dict[str, Any], document: nodes.document | None) -> None:
    """Add the tags to the head of a written page; pages that Sphinx makes up itself get none."""
    if document is None:
        return
    told = description(document)
    title = next((title.astext() for title in document.findall(nodes.title)), app.config.project)
    tags = {
        "og:type": "article",
        "twitter:card": "summary",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": told,
    }
    if app.config.html_baseurl:
        address = app.config.html_baseurl.rstrip("/")
        tags |= {"og:url": f"{address}/{page}.html", "og:image": f"{address}/{PICTURE}", "og:image:alt": SEEN}
        tags["twitter:card"] = "summary_large_image"
    lines = [f'<meta content="{escape(text)}" property="{name}"/>' for name, text in tags.items()]
    lines.append(f'<meta content="{escape(told)}" name="description"/>')
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def draw_picture(app: Sphinx, exception: Exception | None) -> None:
    """Draw what the tables pin down as the picture of the site, if its address is known."""
    if exception is not None or app.builder.format != "html" or not app.config.html_baseurl:
        return
    # Drawing takes a second, which a build without an address need not wait for.
    from survaudit.cohort.bounds import bounds_by_group  # noqa: PLC0415
    from survaudit.cohort.endpoints import endpoints  # noqa: PLC0415
    from survaudit.cohort.tables import read_supplement  # noqa: PLC0415
    from survaudit.figures.panels import draw_bounds  # noqa: PLC0415

    supplement = read_supplement(Path(app.srcdir) / "data" / "raw")
    figure = draw_bounds(bounds_by_group(endpoints(supplement.cohort)["OS"]))
    figure.set_size_inches(*INCHES)
    figure.savefig(Path(app.outdir) / PICTURE, dpi=DOTS, facecolor="white")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", draw_picture)  # before the sums, which come last
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
