"""How Sphinx makes a site of these pages: `make docs`."""

import logging
import re
import sys
import warnings
from importlib import metadata
from pathlib import Path

from sphinx import addnodes
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import InstrumentedAttribute

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from stormpath_app import StormpathError  # noqa: E402 - wherever Sphinx was started
from stormpath_app.models import Resource  # noqa: E402

warnings.simplefilter("ignore", SAWarning)  # autodoc looks at attributes of classes that have no table
logging.getLogger("alembic").setLevel(logging.WARNING)  # a colour scheme of Furo's lets all loggers speak from INFO on

project = "stormpath_app"
release = metadata.version("stormpath-app")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

# Names between single backticks, as docstrings have them, are code, and links where they are in the API reference.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:class", r"(?!stormpath_app\.).*"),  # other packages' types, and those in quotation marks
    ("py:class", r"stormpath_app\.models\.(collection\.R|group\.Reference)"),
]

add_module_names = False
python_maximum_signature_line_length = 160  # with the names of modules, which are not shown
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,  # columns whose name says all
    "inherited-members": "Resource, Base, StormpathError, BaseException, int, dict, Mapping, MutableMapping",
}
#: What our modules need of each other.
INTERNAL = {
    *("accepted", "account_ids", "admitted", "adopt", "among", "answer", "came_through", "chosen_username"),
    *("collection", "compare_password", "create_account_in", "current_application", "custom_data_table", "db"),
    *("email_key", "find_reset_token", "first_group", "given_name_key", "id_in", "lock", "login_manager"),
    *("longest_description", "middle_name_key", "missing", "name_key", "natural_order", "new_account"),
    *("new_password", "own_names", "password_hash", "payload", "replace_hash", "save_using", "search_text"),
    *("searchable", "secret_hash", "set_again", "site_names", "standard", "surname_key", "taken", "tell_owner"),
    *("default_of", "tells_of_password", "thing", "token_hash", "upgrade_hash", "username_key", "version"),
    *("violations", "writable"),
}

# The look is that of the package's own pages.
STATIC = ROOT / "stormpath_app/static"
LOOK = dict(re.findall(r"--sp-(brand|font|mono): ([^;]+);", (STATIC / "stormpath.css").read_text()))
ACCENTED = ("color-brand-primary", "color-brand-content", "color-brand-visited", "color-api-name", "color-api-pre-name")

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = project
html_favicon = html_logo = str(STATIC / "favicon.svg")
html_static_path = html_css_files = ["manual.css"]
html_show_copyright = html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        **dict.fromkeys(ACCENTED, LOOK["brand"]),
        "font-stack": LOOK["font"],
        "font-stack--monospace": LOOK["mono"],
    },
    "dark_css_variables": dict.fromkeys(ACCENTED, f"oklch(from {LOOK['brand']} .77 .12 h)"),
}


def skip(app, what, name, thing, skipped, options):
    """Leave out what is ours alone, and of each table the columns that all resources have."""
    is_every_resources = isinstance(thing, InstrumentedAttribute) and name in Resource.__annotations__
    return True if name in INTERNAL or is_every_resources else None


def no_constructor(app, what, name, thing, options, signature, returned):
    """Show no way to make a resource but its collection's `create`, and none to make an error."""
    return ("", None) if isinstance(thing, type) and issubclass(thing, (Resource, StormpathError)) else None


def plain(app, doctree):
    """Write a column's type as it is read, `str` for `Mapped[str]`, and no value that has no name."""
    for note in list(doctree.findall(addnodes.desc_annotation)):
        if note.astext().startswith(": Mapped["):
            del note[-1], note[2:4]
        elif note.astext().startswith(" = <"):
            note.parent.remove(note)


def linked(app, what, name, thing, options, lines):
    """Make links of the pages that docstrings name."""
    lines[:] = [re.sub(r"`docs/([\w-]+)\.md`", r":doc:`\1`", line) for line in lines]


def titles(app, page, source):
    """Let a link whose text is a file's name, which is good on the code host, have the page's title here."""
    source[0] = re.sub(r"\[([\w-]+\.md)\]\((\1(?:#[\w-]+)?)\)", r"[](\2)", source[0])


def setup(app):
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-signature", no_constructor)
    app.connect("autodoc-process-docstring", linked)
    app.connect("doctree-read", plain)
    app.connect("source-read", titles)
