"""All exercises on one page, each with the solution that its notebook runs.

An exercise is written once, in a notebook: a numbered line under "### Exercises", and a hidden cell called
"Solution" with the same number. When the page of exercises is read, its mark is filled with what stands in
the notebooks, and with what their solutions printed when this build ran them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from myst_nb.core.read import read_myst_markdown_notebook
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

MARK = "```{exercise-list}\n```\n"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n---\n(.*?\n)---\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook, and the code that solves it."""

    number: int
    task: str
    solution: str


def exercises(text: str, name: str) -> list[Exercise]:
    """Return the exercises of a notebook, each with its solution.

    Raises
    ------
    ValueError
        Unless tasks and solutions are numbered alike, from 1 on.
    """
    _, _, part = text.partition("\n### Exercises\n")
    part = re.split(r"^#{1,3} |^\*\*Next:\*\*", part, flags=re.MULTILINE)[0]
    tasks = {int(number): task for number, task in re.findall(r"^(\d+)\. (.*)$", part, flags=re.MULTILINE)}
    solutions = {}
    for header, code in CELL.findall(part):
        options = yaml.safe_load(header)
        prompt = options.get("mystnb", {}).get("code_prompt_show", "")
        if "hide-cell" in options.get("tags", []) and prompt.startswith("Solution "):
            solutions[int(prompt.removeprefix("Solution "))] = code.strip()
    numbers = list(range(1, len(tasks) + 1))
    if not list(tasks) == list(solutions) == numbers:
        raise ValueError(
            f"{name}: found exercises {list(tasks)} and solutions {list(solutions)}, expected each exercise "
            "to have a hidden cell with the prompt `Solution` and its number, in order"
        )
    return [Exercise(number, tasks[number], solutions[number]) for number in numbers]


def moved(task: str, page: str) -> str:
    """Return the words of an exercise as they must stand on another page: glued numbers and links name theirs."""
    task = re.sub(r"\{glue:text\}`(?!\S*::)", f"{{glue:text}}`../{page}::", task)
    return re.sub(r"\]\((?!\.\./|https?:)([^)]+\.md)", r"](../notebooks/\1", task)


def results(notebook: NotebookNode, code: str) -> str:
    """Return what a cell printed and returned, as Markdown: tables as such, all else as text."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.strip() == code:
            for output in cell.outputs:
                data = output.get("data", {})
                if "text/html" in data:
                    found.append(f"```{{raw}} html\n{data['text/html']}\n```")
                else:
                    text = output.get("text") or data.get("text/plain", "")
                    found.append(f"```text\n{text.strip(chr(10))}\n```")
    return "\n\n".join(found)


def executed(env: BuildEnvironment, cache: JupyterCacheAbstract, page: str) -> NotebookNode:
    """Return a notebook with its outputs, as this build has just run it."""
    path = env.doc2path(page.removesuffix(".md"))
    text = Path(path).read_text(encoding="utf-8")
    config = env.myst_config  # type: ignore[attr-defined]
    notebook = read_myst_markdown_notebook(text, config, add_source_map=True, path=path)
    found: NotebookNode = cache.get_cache_bundle(cache.match_cache_notebook(notebook).pk).nb
    return found


def exercise_list(env: BuildEnvironment) -> str:
    """Return the exercises of all notebooks as Markdown, in the order of the book."""
    project = Path(env.srcdir)
    contents = yaml.safe_load((project / "_toc.yml").read_text(encoding="utf-8"))
    pages = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    cache = get_cache(env.mystnb_config.execution_cache_path)  # type: ignore[attr-defined]
    shown = []
    for page in sorted(page for page in pages if page.startswith("notebooks/")):
        text = (project / page).read_text(encoding="utf-8")
        found = exercises(text, page)
        if not found:
            continue
        title = re.search(r"^# (.*)$", text, flags=re.MULTILINE)
        notebook = executed(env, cache, page)
        name = title[1] if title else page
        shown.append(f"## {name}\n\nThe data and the imports are those of [{name}](../{page}).\n")
        for each in found:
            output = results(notebook, each.solution)
            shown.append(
                f"**Exercise {each.number}.**\n{moved(each.task, page)}\n\n"
                f"::::{{dropdown}} Solution {each.number}\n```python\n{each.solution}\n```\n\n{output}\n::::\n"
            )
    return "\n".join(shown)


def fill_page(app: Sphinx, _: str, source: list[str]) -> None:
    """Write the exercises in the place of their mark."""
    if MARK in source[0]:
        source[0] = source[0].replace(MARK, exercise_list(app.env))


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx, for the moment at which it has read the text of a page."""
    app.connect("source-read", fill_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
