"""For whoever builds the book: executes the notebooks side by side, and names the cell that failed.

myst-nb executes a notebook when it comes to its page. Here every notebook that its cache lacks is
executed first, as many at once as there are processors, into the same cache; so myst-nb finds them all
there, and makes of them the pages that it would have made. Each kernel is a process of its own, and
this one only passes their messages on and writes the cache, one notebook after another.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from joblib import cpu_count
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.cache.db import OrmBase
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import SphinxError
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def open_cache(folder: str) -> JupyterCacheAbstract:
    """Return the cache in a folder, emptied unless all of it can be read.

    jupyter-cache notes a notebook before it writes it. A build that is killed in between leaves a
    record of no notebook, or of half of one, over which every later build would fall.
    """
    cache = get_cache(folder)
    OrmBase.metadata.create_all(cache.db)  # also the tables that a killed build had no time for
    try:
        for record in cache.list_cache_records():
            cache.get_cache_bundle(record.pk)
    except (KeyError, ValueError) as error:
        LOGGER.info("the notebook cache is damaged and begun anew: %s", error)
        cache.clear_cache()
    return cache


def missing_notebooks(
    cache: JupyterCacheAbstract, env: BuildEnvironment, pages: list[str]
) -> list[tuple[str, NotebookNode]]:
    """Return the pages that are notebooks and not in the cache, the longest first.

    The length of its text is a fair guess at how long a notebook takes, and when the long ones come
    first, no processor is idle while another is still at the last of them.
    """
    found = []
    for page in pages:
        path = env.doc2path(page)
        text = Path(path).read_text(encoding="utf-8")
        if is_myst_markdown_notebook(text):
            # As myst-nb reads it, since the cache knows a notebook by its cells.
            config = env.myst_config  # type: ignore[attr-defined]
            notebook = read_myst_markdown_notebook(text, config, add_source_map=True, path=path)
            try:
                cache.match_cache_notebook(notebook)
            except KeyError:
                found.append((len(text), page, notebook))
    return [(page, notebook) for _, page, notebook in sorted(found, key=lambda each: -each[0])]


def report_failure(page: str, notebook: NotebookNode, error: Exception) -> None:
    """Warn of a failure, with the line of the cell that ran last, its text and the traceback."""
    ran = (index for index, cell in enumerate(notebook.cells) if cell.get("execution_count"))
    line = notebook.metadata["source_map"][max(ran, default=0)]
    LOGGER.warning(
        "Executing notebook failed: %s\n%s", type(error).__name__, error, location=(page, line), type="mystnb"
    )


async def execute_missing(env: BuildEnvironment, pages: list[str]) -> list[str]:
    """Execute the notebooks that the cache lacks, into it, and return the pages of those that failed."""
    config = env.mystnb_config  # type: ignore[attr-defined]
    cache = open_cache(config.execution_cache_path)
    # Two even on one processor, since a kernel that starts or stops mostly waits.
    places = asyncio.Semaphore(max(2, cpu_count()))
    failed = []

    async def execute(page: str, notebook: NotebookNode) -> None:
        path = Path(env.doc2path(page))
        resources = {"metadata": {"path": str(path.parent)}}
        # Times of execution would become part of the cells, by which the cache knows the notebook.
        client = NotebookClient(notebook, timeout=config.execution_timeout, resources=resources, record_timing=False)
        async with places:
            start = time.perf_counter()
            try:
                await client.async_execute()
            except (CellExecutionError, CellTimeoutError) as error:
                report_failure(page, notebook, error)
                failed.append(page)
                return
            except DeadKernelError as error:
                # Also what becomes of an interrupted build: the others are not waited for.
                raise SphinxError(f"{path}: {error}") from error
        seconds = time.perf_counter() - start
        bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        LOGGER.info("executed %s in %.1f seconds", page, seconds)

    missing = missing_notebooks(cache, env, pages)
    if missing:
        from survaudit.warm import compile_kernels  # noqa: PLC0415 - a build with nothing to execute need not wait

        compile_kernels()
    await asyncio.gather(*(execute(*each) for each in missing))
    return sorted(failed)


def execute_ahead(_: Sphinx, env: BuildEnvironment, pages: list[str]) -> None:
    """Fill the cache before the pages are read; a failed notebook ends the build, when all have run."""
    if failed := asyncio.run(execute_missing(env, pages)):
        raise SphinxError(f"a cell failed (see above) in: {', '.join(failed)}")


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx, for the moment at which it knows which pages it will read."""
    app.connect("env-before-read-docs", execute_ahead)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
