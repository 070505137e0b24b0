"""The page on the module, written from its docstrings when the page is read.

The files come in the order of CONTRIBUTING.md's list, each with its line there. The source is parsed, and not
imported: what a reader sees is what stands in the file. A docstring has the sections of numpydoc and no markup
but literals; one that names a public object of the module becomes a link to it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from textwrap import dedent, indent

from sphinx.application import Sphinx

MARK = "```{api-reference}\n```\n"
SOURCE = Path("src") / "survaudit"
SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples")
Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Item:
    """A public function or class, and where it stands."""

    file: str
    node: Definition
    signature: str

    @property
    def anchor(self) -> str:
        """Return the name by which pages link to it."""
        # A class and a function may differ by a capital letter only, which is no difference to a link.
        kind = "class-" if isinstance(self.node, ast.ClassDef) else ""
        return "api-" + re.sub(r"[^a-z0-9]+", "-", f"{self.file.removesuffix('.py')}-{kind}{self.node.name}".lower())


def listed_files(contributing: str, figures: Iterator[str]) -> dict[str, str]:
    """Return each file of CONTRIBUTING.md's list with its line; of the figures, each file with none."""
    block = contributing.split("```")[1]
    files: dict[str, str] = {}
    folder = ""
    for line in block.strip().splitlines():
        name, _, what = line.strip().partition(" ")
        folder = folder if line.startswith(" ") else ""
        if name == "figures/":
            files |= dict.fromkeys(sorted(figures), "")
        elif name.endswith("/"):
            folder = name
        else:
            files[folder + name] = what.strip()
    return files


def public_items(file: str, source: str) -> list[Item]:
    """Return the public functions and classes of a file, in its order."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, Definition)]
    return [Item(file, node, _signature(node, source)) for node in nodes if not node.name.startswith("_")]


def _signature(node: Definition, source: str) -> str:
    """Return the head of a definition as it stands in the file, without comments.

    A record whose fields are not described one by one shows them here.
    """
    lines = source.splitlines()[node.lineno - 1 : node.body[0].lineno - 1]
    if isinstance(node, ast.ClassDef) and "\nAttributes\n" not in (ast.get_docstring(node) or ""):
        lines += [f"    {ast.unparse(each)}" for each in node.body if isinstance(each, ast.AnnAssign)]
    return re.sub(r"  #.*", "", dedent("\n".join(lines))).strip().removesuffix(":")


def sections(docstring: str) -> dict[str, str]:
    r"""Split a docstring at the underlined titles; what comes before the first has none.

    Raises
    ------
    ValueError
        If a title is none of numpydoc's.

    Examples
    --------
    >>> sections('''Return it.
    ...
    ... Raises
    ... ------
    ... InputError
    ...     Always.''')
    {'': 'Return it.', 'Raises': 'InputError\\n    Always.'}
    """
    first, *parts = re.split(r"^(\w+)\n-{3,}\n", docstring, flags=re.MULTILINE)
    titled = zip(parts[::2], parts[1::2], strict=True)
    found = {"": first.strip()} | {title: text.strip("\n") for title, text in titled}
    if unknown := set(found) - {"", *SECTIONS}:
        raise ValueError(f"found the sections {sorted(unknown)}, expected some of {SECTIONS}")
    return {title: text.rstrip() for title, text in found.items()}


def as_markdown(text: str, links: Mapping[str, str]) -> str:
    """Return prose of a docstring as Markdown in which nothing but literals and links has a meaning."""
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    for i, part in enumerate(parts):
        if i % 2:
            literal = part.strip("`")
            target = links.get(literal.removeprefix("survaudit."))
            parts[i] = f"[`{literal}`](#{target})" if target else f"`{literal}`"
        else:
            parts[i] = re.sub(r"([\\*_<>\[\]${}|#~])", r"\\\1", part)
    return "".join(parts)


def _entries(text: str, links: Mapping[str, str]) -> str:
    """Return names with their types, each followed by an indented description, as a definition list."""
    blocks = re.split(r"\n(?=\S)", text)
    lines = []
    for block in blocks:
        head, _, body = block.partition("\n")
        names, colon, kind = head.partition(" : ")
        title = f"`{names}`" + (f" : {as_markdown(kind, links)}" if colon else "")
        target = links.get(names)
        if target and not colon:
            title = f"[`{names}`](#{target})"
        described = as_markdown(dedent(body).strip(), links)
        lines.append(f"{title}\n: {indent(described, '  ').lstrip()}\n" if described else f"{title}\n")
    return "\n".join(lines)


def _methods(node: ast.ClassDef, links: Mapping[str, str]) -> str:
    """Return the public methods and properties of a class with the first line of each."""
    lines = []
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
            is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in each.decorator_list)
            names = ", ".join(a.arg for a in (*each.args.args, *each.args.kwonlyargs) if a.arg != "self")
            first = (ast.get_docstring(each) or "").split("\n\n")[0]
            title = each.name if is_property else f"{each.name}({names})"
            lines.append(f"`{title}`\n: {indent(as_markdown(first, links), '  ').lstrip()}\n")
    return "\n".join(lines)


def item_page(item: Item, links: Mapping[str, str]) -> str:
    """Return one function or class as Markdown, folded behind its name and summary."""
    found = sections(cleandoc(ast.get_docstring(item.node) or ""))
    summary, _, rest = found.pop("").partition("\n\n")
    here = item.anchor
    own = {name: target for name, target in links.items() if target != here}
    parts = [f"```python\n{item.signature}\n```", as_markdown(rest, own)]
    for title in SECTIONS:
        text = found.get(title, "")
        if text and title == "Examples":
            parts.append(f"**Examples**\n\n```pycon\n{text}\n```")
        elif text:
            shown = as_markdown(text, own) if title == "Notes" else _entries(text, own)
            parts.append(f"**{title}**\n\n{shown}")
    if isinstance(item.node, ast.ClassDef) and (methods := _methods(item.node, own)):
        parts.append(f"**Methods and properties**\n\n{methods}")
    body = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    plain = " ".join(summary.replace("`", "").split())
    title = as_markdown(f"{item.node.name}: {plain}", {})
    return f"::::{{dropdown}} {title}\n:name: {item.anchor}\n:class-container: api\n\n{body}\n::::\n"


def reference(project: Path) -> str:
    """Return the whole reference as Markdown."""
    folder = project / SOURCE
    figures = (f"figures/{path.name}" for path in (folder / "figures").glob("*.py") if path.name != "__init__.py")
    files = listed_files((project / "CONTRIBUTING.md").read_text(encoding="utf-8"), figures)
    sources = {file: (folder / file).read_text(encoding="utf-8") for file in files}
    public = {file: source for file, source in sources.items() if not Path(file).name.startswith("_")}
    items = {file: public_items(file, source) for file, source in public.items()}
    links = _links([item for found in items.values() for item in found])
    pages = []
    for file, what in files.items():
        about = ast.get_docstring(ast.parse(sources[file])) or ""
        line = f"*{what[0].upper()}{what[1:]}.*\n\n" if what else ""
        listed = "\n".join(item_page(item, links) for item in items.get(file, []))
        if Path(file).name.startswith("_"):
            listed = "Internal: nothing here is meant to be called from outside.\n"
        pages.append(f"## {as_markdown(file.removesuffix('.py'), {})}\n\n`survaudit/{file}`\n\n"
                     f"{line}{as_markdown(cleandoc(about), links)}\n\n{listed}")  # fmt: skip
    return "\n".join(pages)


def _links(items: list[Item]) -> dict[str, str]:
    """Return the anchor of every public object by its dotted name, and by its own where only one bears it."""
    names = [item.node.name for item in items]
    dotted = {f"{item.file.removesuffix('.py').replace('/', '.')}.{item.node.name}": item.anchor for item in items}
    return dotted | {item.node.name: item.anchor for item in items if names.count(item.node.name) == 1}


def fill_page(app: Sphinx, _: str, source: list[str]) -> None:
    """Write the reference in the place of its mark."""
    if MARK in source[0]:
        source[0] = source[0].replace(MARK, reference(Path(app.srcdir)))


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx, for the moment at which it has read the text of a page."""
    app.connect("source-read", fill_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
