"""Sphinx: the pages of this folder, and those that `reference.py` writes from docstrings."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import reference  # noqa: E402

import tensorem  # noqa: E402

reference.write(HERE / "api")

project = "tensorem"
release = version = tensorem.__version__
extensions = ["myst_nb"]
exclude_patterns = ["_build"]
nb_execution_mode = "off"  # the tests run every block of every page
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
highlight_language = "none"  # a plain block is what a program prints
add_module_names = False
python_maximum_signature_line_length = 80
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = "tensorem"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
