"""The directive ``{figure-again} label``: shows a figure of another page once more.

It is the very picture, with its alternative text. Below it stand its kind, which opens that text, and a
reference to the figure itself, which has the caption and the data.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)
MARK = "figure_again"  # the attribute of a place to be filled


class FigureAgain(SphinxDirective):
    """Remember the label; the other page may not have been read yet."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the place that is filled when the page is written."""
        place = nodes.container("", **{MARK: self.arguments[0]})
        self.set_source_info(place)
        return [place]


class FillIn(SphinxPostTransform):
    """Put the picture in its place."""

    default_priority = 3  # before alternative texts get their numbers, and references their targets

    def run(self, **_: object) -> None:
        """Fill every place; a label that is no figure's is a warning, and so fails the build."""
        read = cache(self.env.get_doctree)  # a page with many figures would be read for each of them
        for place in list(self.document.findall(lambda node: isinstance(node, nodes.container) and MARK in node)):
            label = place[MARK]
            pictures = self._pictures(label, read)
            if not pictures:
                LOGGER.warning("figure-again: no figure is called %r", label, location=place)
            place.replace_self([self._again(picture, label) for picture in pictures])

    def _pictures(self, label: str, read: Callable[[str], nodes.document]) -> list[nodes.image]:
        page, name = self.env.get_domain("std").anonlabels.get(label, ("", ""))  # type: ignore[attr-defined]
        if not page:
            return []
        figures = (each for each in read(page).findall(nodes.figure) if name in each["ids"])
        pictures = [image.deepcopy() for figure in figures for image in figure.findall(nodes.image)]
        for picture in pictures:
            picture["glued_on"] = page
        return pictures

    def _again(self, picture: nodes.image, label: str) -> nodes.figure:
        kind = picture["alt"].partition(".")[0]
        to_figure = {"refdomain": "std", "reftype": "numref", "reftarget": label, "refdoc": self.env.docname}
        reference = addnodes.pending_xref("", nodes.literal("", label), refexplicit=False, **to_figure)
        line = nodes.paragraph("", f"{kind}. Caption and data: ", reference, nodes.Text("."))
        # A legend, since Sphinx would number a caption.
        return nodes.figure("", picture, nodes.legend("", line), classes=["figure-again"])


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx."""
    app.add_directive("figure-again", FigureAgain)
    app.add_post_transform(FillIn)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
