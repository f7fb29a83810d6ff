"""The manual: every snippet runs, every setting and error is in its table."""

import re
import shlex
from pathlib import Path

import pytest
from flask import Flask

from stormpath_app import StormpathManager, errors
from stormpath_app.settings import SETTINGS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(page.read_text()) if found == language]


@pytest.fixture
def quick_hashes(monkeypatch, tmp_path, request):
    """Let Flask apps made by snippets live in this test's folder and hash cheaply; they know nothing of it."""
    made = Flask.__init__
    page = getattr(request.node, "callspec", None) and request.node.callspec.params.get("page")
    shares = page is not None and page.name == "database.md"

    def init(self, *args, **kwargs):
        made(self, *args, instance_path=str(tmp_path / "instance"), **kwargs)
        self.config.update(TESTING=True, SECRET_KEY="one for snippets, 32 bytes or more", STORMPATH_BCRYPT_COST=4)
        self.config.update(STORMPATH_DATABASE_URI=None if shares else "sqlite://")

    monkeypatch.setattr(Flask, "__init__", init)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, quick_hashes):
    names = {"__name__": "snippet"}
    for code in blocks(page, "python"):
        exec(compile(code, page.name, "exec"), names)
    if isinstance(names.get("app"), Flask):
        problems = names["app"].extensions["stormpath"]
        with names["app"].app_context():
            assert not [p.sentence for p in problems.check() if p.level == "error" and "template" not in p.sentence]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_one_after_the_other(page, quick_hashes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    app = Flask("snippet")
    StormpathManager(app)
    runner = app.test_cli_runner()
    lines = [line.removeprefix("$ ") for code in blocks(page, "console") for line in code.splitlines()]
    ours = [line for line in lines if "flask stormpath" in line]
    if not any("stormpath init" in line for line in ours):
        ours = ["flask stormpath init", *page_people(page), *ours]
    for line in ours:
        typed, _, command = line.rpartition(" | ")
        typed = shlex.split(typed)[1] + "\n" if typed else None
        result = runner.invoke(app.cli, shlex.split(command)[1:], input=typed)
        assert result.exit_code == 0, f"{line}\n{result.output}"


def page_people(page: Path) -> list[str]:
    """Return the commands that make the people a page's commands are about; its Python made them for the page."""
    if page.name not in {"passwords.md", "groups.md", "throttling.md"}:
        return []
    return [
        "echo 'Kessel12.Parsecs' | flask stormpath create-account han@falcon.example --password-stdin",
    ]


def test_the_templates_of_the_page_on_templates_work_as_they_stand(quick_hashes, tmp_path):
    base, page = blocks(ROOT / "docs/templates.md", "html")
    for name, text in (("base.html", base), ("login.html", page)):
        (tmp_path / name).write_text(text)
    for setting, name in (("BASE", "base.html"), ("LOGIN", "login.html")):
        app = Flask("snippet", template_folder=str(tmp_path))
        app.config[f"STORMPATH_{setting}_TEMPLATE"] = name
        StormpathManager(app)
        answer = app.test_client().get("/login")
        assert answer.status_code == 200
        assert 'name="csrf_token"' in answer.text


def test_every_setting_is_in_the_table_as_it_is():
    table = (ROOT / "docs/settings.md").read_text()
    missing = [row for row in (f"| `{s.name}` | `{s.default!r}` | {s.help} |" for s in SETTINGS) if row not in table]
    assert missing == []


def test_every_error_is_in_the_table_with_its_code():
    table = (ROOT / "docs/errors.md").read_text()
    for name, error in vars(errors).items():
        if isinstance(error, type) and issubclass(error, errors.StormpathError):
            first_line = error.__doc__.splitlines()[0]
            assert re.search(rf"{error.code} \| `{name}` \| {re.escape(first_line)} \|", table), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_of_a_page_leads_nowhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links {target}"
