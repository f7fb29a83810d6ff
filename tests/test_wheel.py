"""The wheel: what people get from pip, in an environment that has nothing else."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ["LICENSE", "README.md", "pyproject.toml", "setup.cfg"]

#: Runs in the empty environment: a host of a few lines, and a person who registers, comes in and leaves.
VISIT = """
import re
from pathlib import Path

from flask import Flask
import stormpath_app
from stormpath_app import StormpathManager, login_required, user

assert "site-packages" in stormpath_app.__file__, stormpath_app.__file__
app = Flask("host", instance_path=str(Path("instance").resolve()))
app.config.update(SECRET_KEY="of an app in an environment of its own", STORMPATH_DATABASE_URI="sqlite://")
app.config.update(STORMPATH_COOKIE_SECURE=False)
StormpathManager(app)
app.add_url_rule("/", "home", login_required(lambda: f"Hello {user.given_name}"))

client = app.test_client()
page = client.get("/register").text
with client.get(re.search('href="([^"]+[.]css)"', page)[1]) as style:
    assert style.status_code == 200
form = {"given_name": "Han", "surname": "Solo", "email": "han@falcon.example", "password": "Kessel12.Parsecs"}

def send(path):
    form["csrf_token"] = re.search('name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)[1]
    return client.post(path, data={**form, "login": form["email"]})

assert send("/register").status_code == 302
assert client.get("/").text == "Hello Han"
client.get("/logout")
assert client.get("/").status_code == 302
assert send("/login").location == "/"
assert client.get("/").text == "Hello Han"
print("Hello Han")
"""


def run(*command, cwd, network=False):
    """Run a command; return what it said. One that cannot reach the package index skips the test, but not in CI."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONWARNINGS"}}
    done = subprocess.run(
        command, cwd=cwd, env=kept, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode and network and "No matching distribution" in done.stdout and "CI" not in os.environ:
        pytest.skip("the package index does not answer")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_wheel_has_all_it_needs_and_logs_a_person_in_where_nothing_else_is_installed(tmp_path):
    source, empty = tmp_path / "source", tmp_path / "empty"
    package = [path for path in (ROOT / "stormpath_app").rglob("*") if path.is_file()]
    files = [path.relative_to(ROOT).as_posix() for path in package if "__pycache__" not in path.parts]
    for name in [*SOURCES, *files]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), ".", cwd=source, network=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert set(files) <= set(packed.namelist())
        assert not [name for name in packed.namelist() if not name.startswith(("stormpath_app/", "stormpath_app-"))]
    venv.create(empty, with_pip=False)
    python = str(empty / "bin" / "python")
    run(*pip, "--python", python, "install", str(wheel), cwd=tmp_path, network=True)
    assert run(python, "-W", "error", "-c", VISIT, cwd=tmp_path) == "Hello Han\n"
