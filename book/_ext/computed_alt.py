"""For readers by ear: alternative texts carry computed numbers, as prose does.

A glue role in the alternative text of a figure would be read out literally. Here roles of the form
``{glue:text}`key:.1f``` are replaced by the glued value, as they are in prose and captions.
"""

from __future__ import annotations

import re
from functools import partial

from docutils import nodes
from myst_nb.core.variables import format_plain_text
from myst_nb.ext.glue.crossref import read_glue_cache
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
ROLE = re.compile(r"\{glue:text\}`(?P<key>[^`:]+)(?::(?P<format>[^`]+))?`")


class ComputedAlternativeText(SphinxPostTransform):
    """Replace glue roles in the ``alt`` of every image by the values that the page glued."""

    default_priority = 4

    def run(self, **_: object) -> None:
        """Replace the roles of each image; an unknown key is a warning, and so fails the build."""
        for image in self.document.findall(nodes.image):
            if "alt" in image:
                image["alt"] = ROLE.sub(partial(self._value, image), image["alt"])

    def _value(self, image: nodes.image, role: re.Match[str]) -> str:
        folder: str = self.env.mystnb_config.output_folder  # type: ignore[attr-defined]
        glued = read_glue_cache(folder, self.env.docname)
        if role["key"] not in glued:
            LOGGER.warning("alternative text: nothing is glued as %r on this page", role["key"], location=image)
            return role[0]
        text = glued[role["key"]]["data"]["text/plain"]
        return str(format_plain_text(text, role["format"] or "s"))


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register the transform with Sphinx."""
    app.add_post_transform(ComputedAlternativeText)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
