"""Write the tables of settings and errors into their pages, from the code: `make docs`, or `python -m docs.tables`."""

import re
from collections.abc import Iterator
from pathlib import Path

from stormpath_app import errors
from stormpath_app.settings import SETTINGS

DOCS = Path(__file__).parent
TABLE = re.compile(r"(?<=<!-- From the code: `make docs` writes it. -->\n).*?(?=<!-- End -->)", re.DOTALL)

#: Where a default that is too long for a table stands.
LONG = {"THROTTLE": "[a dictionary](throttling.md#change-it)"}


def settings_table() -> Iterator[str]:
    """Yield the table's lines."""
    yield from ("| setting | default | what it is |", "|---|---|---|")
    for row in SETTINGS:
        default = f"`{row.default!r}`".replace("`datetime.", "`")
        yield f"| `{row.name}` | {LONG.get(row.name, default)} | {row.help} |"


def errors_table() -> Iterator[str]:
    """Yield the table's lines, by code. The first of each code has the anchor that `more_info` leads to."""
    yield from ("| code | status | class | when |", "|---|---|---|---|")
    known = set()
    for error in sorted(filter(_is_ours, vars(errors).values()), key=lambda error: (error.code, error.__name__)):
        anchor = "" if error.code in known else f'<a id="{error.code}"></a>'
        known.add(error.code)
        yield f"| {anchor}{error.code} | {error.status} | `{error.__name__}` | {error.__doc__.splitlines()[0]} |"


def _is_ours(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, errors.StormpathError)


TABLES = {DOCS / "settings.md": settings_table, DOCS / "errors.md": errors_table}


def as_the_code_has_it(page: Path) -> str:
    """Return the page's text with its table made anew."""
    table = "\n".join(TABLES[page]())
    return TABLE.sub(lambda _before: f"\n{table}\n\n", page.read_text())


if __name__ == "__main__":
    for page in TABLES:
        page.write_text(as_the_code_has_it(page))
