"""The command that makes API keys."""

import json
import os
from pathlib import Path

import pytest

from stormpath_app.cli import api_keys
from stormpath_app.models import ApiKey, Client

from ..models.test_event import events
from ..test_cli import HAN, mode, run
from ..test_credentials import ID, SECRET


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in this test's own folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pair(file):
    return dict(line.split(" = ") for line in Path(file).read_text().splitlines())


def test_a_key_of_the_tenant_is_in_a_file_for_its_owner_alone(app):
    old = os.umask(0)
    try:
        code, said, complained = run(app, "create-api-key", "--name", "backup")
    finally:
        os.umask(old)
    found = pair("apiKey.properties")
    key_id, secret = found["apiKey.id"], found["apiKey.secret"]
    assert (code, complained, secret in said) == (0, "", False)
    assert said == (
        f"Created the API key {key_id}. Its secret is in apiKey.properties, and nowhere else: keep that file safe.\n"
    )
    assert mode(Path("apiKey.properties")) == 0o600
    with app.app_context():
        key = ApiKey.authenticate(key_id, secret)
        assert (key.name, key.account) == ("backup", None)
        assert events("api_key.created")[0].interface == "cli"
    app.config["STORMPATH_API_KEY_FILE"] = "apiKey.properties"
    assert "API key" not in run(app, "check")[2]


def test_a_key_of_an_account_is_answered_in_json_without_its_secret(app, account, here):
    code, said, complained = run(app, "create-api-key", "--account", "SOLO", "--file", "han.properties", "--json")
    told, found = json.loads(said), pair("han.properties")
    with app.app_context():
        key = ApiKey.authenticate(found["apiKey.id"], found["apiKey.secret"])
        assert key.account.email == HAN
        known = {"id": key.id, "href": key.href, "name": None, "account": key.account.href, "file": "han.properties"}
    assert (code, complained, told) == (0, "", known)


def test_a_file_that_is_there_is_replaced_only_by_somebody_who_says_so(app, here):
    file = here / "apiKey.properties"
    file.write_text("mine")
    file.chmod(0o644)
    code, said, complained = run(app, "create-api-key")
    assert (code, said) == (1, "")
    assert complained == (
        "Error: apiKey.properties is there already. Name another --file, or replace it with --force.\n"
    )
    assert file.read_text() == "mine"
    with app.app_context():
        assert len(Client().tenant.api_keys) == 0
    assert run(app, "create-api-key", "--force")[0] == 0
    assert (mode(file), len(pair(file)), list(here.glob("apiKey*"))) == (0o600, 2, [file])


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["new", "replaced"])
def test_a_key_whose_file_cannot_be_written_is_not_made(app, here, force, monkeypatch):
    code, _, complained = run(app, "create-api-key", "--file", "nowhere/x.properties", *force)
    assert (code, "No such file or directory" in complained, complained.count("\n")) == (1, True, 1)

    def full(pair):
        raise OSError(28, "No space left on device", "apiKey.properties")

    (here / "apiKey.properties").write_text("mine") if force else None
    monkeypatch.setattr(api_keys.credentials, "text", full)
    code, _, complained = run(app, "create-api-key", *force)
    assert (code, complained) == (1, "Error: apiKey.properties: No space left on device.\n")
    assert [file.read_text() for file in here.glob("apiKey*")] == ["mine"] * len(force)
    with app.app_context():
        assert len(Client().tenant.api_keys) == 0


def test_nobodys_key_is_not_made(app, here):
    code, _, complained = run(app, "create-api-key", "--account", "nobody")
    assert (code, "has the e-mail address or username 'nobody'" in complained) == (1, True)
    assert not list(here.glob("apiKey*"))


def test_init_says_whose_the_pair_of_the_settings_is(app):
    app.config.update(STORMPATH_API_KEY_ID=ID, STORMPATH_API_KEY_SECRET=SECRET)
    for _ in range(2):
        code, said, complained = run(app, "init")
        assert said.endswith(f"\nAPI key: {ID}, the one that the settings name, is the tenant's.\n")
        assert (code, complained, SECRET in said) == (0, "", False)
