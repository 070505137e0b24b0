"""What a link to a page shows where it is shared: title and question, as Open Graph meta tags.

Addresses have to be complete there. Without ``html_baseurl`` nobody knows the site's, and the tags
that need one are left out.
"""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

LENGTH = 200  # what most readers of these tags show


def description(document: nodes.document) -> str:
    """Return the question that a page asks, or its first paragraph, shortened at a word."""
    paragraphs = [
        " ".join(paragraph.astext().split())
        for paragraph in document.findall(nodes.paragraph)
        if "notebook-download" not in paragraph["classes"]
    ]
    asked = [text.removeprefix("The question.").strip() for text in paragraphs if text.startswith("The question.")]
    (text,) = (asked or paragraphs or [""])[:1]
    return text if len(text) <= LENGTH else text[:LENGTH].rsplit(" ", 1)[0] + " …"


def add_tags(app: Sphinx, page: str, _: str, context: dict[str, Any], document: nodes.document | None) -> None:
    """Add the tags to the head of a written page; pages that Sphinx makes up itself get none."""
    if document is None:
        return
    told = description(document)
    title = next((title.astext() for title in document.findall(nodes.title)), app.config.project)
    tags = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title, "og:description": told}
    if app.config.html_baseurl:
        tags["og:url"] = f"{app.config.html_baseurl.rstrip('/')}/{page}.html"
    lines = [f'<meta content="{escape(text)}" property="{name}"/>' for name, text in tags.items()]
    lines.append(f'<meta content="{escape(told)}" name="description"/>')
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.connect("html-page-context", add_tags)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
