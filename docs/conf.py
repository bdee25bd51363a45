"""Sphinx's configuration of the documentation site, which `make docs` assembles and builds.

Nothing in the site comes from elsewhere: it is read and searched offline, also from a disk.
"""

from __future__ import annotations

import mvmdb

project = "mvmdb"
author = "mvmdb developers"
copyright = "mvmdb developers"  # the name that Sphinx asks for
release = version = mvmdb.__version__

extensions = ["myst_nb", "sphinx_design"]
root_doc = "index"
exclude_patterns = ["conf.py", "_build"]
suppress_warnings = ["misc.highlighting_failure"]  # outputs of commands are no Python, in blocks that name no language
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the tutorial was executed when the sources were assembled

html_theme = "furo"
html_title = f"mvmdb {version}"
html_static_path = ["_static"]
html_css_files = ["mvmdb.css"]
html_show_search_summary = False  # summaries are fetched, which browsers refuse for pages on a disk
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "monokai"
