"""The manual: every snippet runs, every table and name is as in the code. `make docs` tells what else is wrong."""

import re
import shlex
from pathlib import Path

import pytest
from flask import Flask

import stormpath_app
from docs import tables
from stormpath_app import StormpathManager, errors
from stormpath_app.models import Resource
from stormpath_app.providers import KINDS

from .conftest import PASSWORD

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
    monkeypatch.setitem(KINDS, "falcon", None)  # a snippet has its own


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
    texts = blocks(ROOT / "docs/templates.md", "html")
    settings, paths = ("BASE", "LOGIN", "REGISTRATION"), ("login", "login", "register")
    for setting, text, path in zip(settings, texts, paths, strict=True):
        name = f"{setting.lower()}.html"
        (tmp_path / name).write_text(text)
        app = Flask("snippet", template_folder=str(tmp_path))
        app.config[f"STORMPATH_{setting}_TEMPLATE"] = name
        StormpathManager(app)
        answer = app.test_client().get(f"/{path}")
        assert answer.status_code == 200
        assert 'name="csrf_token"' in answer.text
        assert 'name="password"' in answer.text


def test_the_app_of_the_page_on_accounts_lets_people_change_their_name(quick_hashes, log_in):
    names = {"__name__": "snippet"}
    exec(blocks(ROOT / "docs/accounts.md", "python")[0], names)
    client = names["app"].test_client()
    with names["app"].app_context():
        names["User"].create("han@falcon.example", PASSWORD, "Han", "Solo")
    log_in(client)
    assert client.get("/email").text == "han@falcon.example"
    assert client.post("/name", data={"given_name": "H" * 256}).status_code == 400
    assert client.post("/name", data={"given_name": "Randall"}).text == "Saved."
    with names["app"].app_context():
        assert names["stormpath_manager"].application.find_account("han@falcon.example").given_name == "Randall"


@pytest.mark.parametrize("page", tables.TABLES, ids=lambda page: page.name)
def test_the_table_of_a_page_is_as_the_code_has_it(page):
    assert page.read_text() == tables.as_the_code_has_it(page), "Let it be written again: make docs"


def test_every_code_of_an_error_is_where_its_link_leads():
    page = (ROOT / "docs/errors.md").read_text()
    for error in (*every_subclass(errors.StormpathError), errors.PasswordRefused(["Too short."], code=2007)):
        assert page.count(f'<a id="{error.code}"></a>') == 1, error


def every_subclass(cls: type) -> list[type]:
    return [cls, *(found for child in cls.__subclasses__() for found in every_subclass(child))]


def test_every_public_name_is_in_the_reference():
    missing = {f".. auto…:: {name}" for name in stormpath_app.__all__} - {f".. auto…:: {name}" for name in reference()}
    assert missing == set(), "docs/api.md needs these lines"


def test_every_resource_is_in_the_reference():
    tables = {resource.__name__ for resource in every_subclass(Resource) if "__tablename__" in vars(resource)}
    assert tables - reference() == set(), "docs/api.md needs a line for these: .. autoclass:: stormpath_app.models.X"


def reference() -> set[str]:
    """Return the last part of each name that the reference describes."""
    page = (ROOT / "docs/api.md").read_text()
    return set(re.findall(r"^\.\. (?:auto|py:)\w+:: (?:\w+\.)*(\w+)", page, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_of_a_page_leads_nowhere(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links {target}"
