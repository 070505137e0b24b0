"""For whoever changes the module or the data: no page is served from results of an earlier state.

jupyter-cache looks a notebook up by its cells. Here a change in the module, the data, the lock,
Python or a user's follow-up must execute it again, so each state of these has a cache folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

# What notebooks depend on, relative to the project; folders count with all their files.
INPUTS = ("src", "data", "book/_tools/validation.py", "requirements.lock")
# The environment variable that names a user's follow-up; `survaudit.follow_up.supplied`, slow to load, has it too.
ENVIRONMENT = "SURVAUDIT_FOLLOW_UP"
IGNORED = {"__pycache__", ".ipynb_checkpoints"}


def fingerprint(project: Path) -> str:
    """Return a short hash over the inputs' names and bytes, Python's version and a user's follow-up, if any.

    Raises
    ------
    FileNotFoundError
        If an input is missing, since a key without it would serve stale results.
    """
    digest = hashlib.sha256(platform.python_version().encode())
    for name in INPUTS:
        root = project / name
        if not root.exists():
            raise FileNotFoundError(f"{root}: the notebook cache is keyed on it; restore it from the repository")
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        for path in files:
            if IGNORED.isdisjoint(path.parts):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(project).as_posix()}\0{content}\n".encode())
    if follow_up := os.environ.get(ENVIRONMENT):
        content = hashlib.sha256(Path(follow_up).read_bytes()).hexdigest()
        digest.update(f"{ENVIRONMENT}\0{Path(follow_up).name}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def use_keyed_cache(app: Sphinx, config: Config) -> None:
    """Point myst-nb to the cache of the present inputs, and drop those of earlier ones."""
    caches = Path(app.outdir).parent / ".jupyter_cache"
    current = caches / fingerprint(Path(app.srcdir))
    for other in caches.glob("*") if caches.is_dir() else []:
        if other != current and other.is_dir():
            shutil.rmtree(other)
    config.nb_execution_cache_path = str(current)


def setup(app: Sphinx) -> dict[str, bool | str]:
    """Register with Sphinx, ahead of the moment at which myst-nb reads its configuration."""
    app.connect("config-inited", use_keyed_cache)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
