"""The site as people run it: a process, an instance folder and a free port of its own."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

ROOT = Path(__file__).resolve().parent.parent
MANAGE = str(ROOT / "manage.py")

SITE = "stormpath_app.app:create_app()"

#: How long a server may take to answer for the first time, in seconds; on a busy machine Python alone takes some.
PATIENCE = 60
#: Below the ports that a system gives out by itself: nobody has one before its server listens, or while that is down.
_PORTS = count(11_000 + os.getpid() * 997 % 20_000)


@dataclass
class Server:
    """A site that answers at `url`. `settings` are environment variables; what it says is in `log_file`."""

    url: str
    instance: Path
    settings: dict[str, str]
    log_file: Path
    process: subprocess.Popen[bytes]
    database: str = "stormpath.db"

    @property
    def log(self) -> str:
        """What the server said so far."""
        return self.log_file.read_text("utf-8", "replace")

    def answered_by(self, since: int = 0) -> list[int]:
        """Return the process ids of gunicorn's workers, one for each answer after `since` characters of the log."""
        return [int(found) for found in re.findall(r"^answered by <(\d+)>", self.log[since:], re.MULTILINE)]

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run `manage.py` beside the server, as its administrator would; return what it said."""
        return manage(self.instance, *arguments, stdin=stdin, **self.settings)

    def rows(self, query: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Read the database's file, past the server."""
        with self._connected() as connection:
            return connection.execute(query, values).fetchall()

    def write(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Change rows of the database's file, past the server; return how many."""
        with self._connected() as connection, connection:
            return connection.execute(statement, values).rowcount

    def _connected(self) -> contextlib.closing[sqlite3.Connection]:
        return contextlib.closing(sqlite3.connect(self.instance / self.database, timeout=PATIENCE))


def manage(instance: Path, *arguments: str, stdin: str = "", **settings: str) -> str:
    """Run `manage.py` on an instance folder; return what it said."""
    done = subprocess.run(
        [sys.executable, MANAGE, *arguments],
        cwd=instance.parent,
        env=_environment(instance, settings),
        input=stdin,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=3 * PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


@contextlib.contextmanager
def manage_run(instance: Path, **settings: str) -> Iterator[Server]:
    """Serve with `manage.py run`, which sets up what is missing."""
    port = free_port()
    command = [sys.executable, MANAGE, "run", "--port", str(port)]
    with _running(command, port, instance, settings) as server:
        yield server


@contextlib.contextmanager
def gunicorn(
    instance: Path,
    *,
    workers: int = 4,
    threads: int = 4,
    preload: bool = False,
    program: str = SITE,
    database: str = "stormpath.db",
    port: int | None = None,
    **settings: str,
) -> Iterator[Server]:
    """Serve with gunicorn, as `docs/deploy.md` tells, but over plain http and for this machine alone.

    Each line of the access log begins with "answered by" and the worker's process id.

    :param preload: whether the workers are forks of one process that has the site already.
    :param program: another app than the site, which sets itself up; `database`: its file in the instance folder.
    :param port: None: any that is free.
    """
    port = port or free_port()
    settings = {
        "FLASK_STORMPATH_BASE_URL": f"http://127.0.0.1:{port}",
        "FLASK_STORMPATH_HASH_CONCURRENCY": str(threads),  # on a busy machine nobody waits until they are refused
        **settings,
    }
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
        *("--workers", str(workers), "--threads", str(threads), "--graceful-timeout", "1"),
        *("--access-logfile", "-", "--access-logformat", "answered by %(p)s: %(r)s %(s)s"),
        *(["--preload"] if preload else []),
        program,
    ]
    if program == SITE:
        manage(instance, "init", **settings)
    with _running(command, port, instance, settings) as server:
        server.database = database
        yield server


@contextlib.contextmanager
def _running(command: list[str], port: int, instance: Path, settings: dict[str, str]) -> Iterator[Server]:
    log_file = instance.parent / f"{instance.name}-{port}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=instance.parent,
            env=_environment(instance, settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it can be ended with all its workers
        )
    server = Server(f"http://127.0.0.1:{port}", instance, settings, log_file, process)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        _stop(process)


def _environment(instance: Path, settings: dict[str, str]) -> dict[str, str]:
    """Return this process's environment without settings that somebody may have made for a site of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "STORMPATH_"))}
    ours = {"STORMPATH_INSTANCE_PATH": str(instance), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return {**kept, **ours, **settings}


def run_apart(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, in a thread of its own: the browser's driver has a loop in this one."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, work).result()


def free_port() -> int:
    """Return a port that nobody listens at; this process gives each out once."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


def _wait_until_it_answers(server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{server.url}/login", timeout=PATIENCE).close()
            return
        except (OSError, urllib.error.URLError) as error:
            if server.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The server does not answer ({error}). It said:\n{server.log}") from error
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its session: itself, and workers that it left behind
    process.wait()
