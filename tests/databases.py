"""PostgreSQL and MariaDB as people run them: a server of its own on a free port, gone at the end."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from .servers import PATIENCE, free_port

_NUMBERS = count()


class Missing(RuntimeError):
    """The machine has no such server."""


class DatabaseServer:
    """A server that gives out empty databases. `url`: of its administrator; `stops`: what ends it at once."""

    launch: Callable[[], subprocess.Popen[bytes]]
    log: Path
    process: subprocess.Popen[bytes]

    def __init__(self, url: sa.URL, *, create: str, stops: signal.Signals = signal.SIGTERM) -> None:
        self.url = url
        self._stops = stops
        self._create = create
        self._engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"stormpath_{next(_NUMBERS)}"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(self._create.format(name=name))
        return self.url.set(database=name).render_as_string(hide_password=False)

    @property
    def version(self) -> str:
        """The server's version."""
        with self._engine.connect() as connection:
            return ".".join(map(str, connection.dialect.server_version_info or ()))

    def start(self) -> None:
        """Start it, and return when a connection can be made.

        :raises RuntimeError: it ended; the error has what it said.
        """
        self.process = self.launch()
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._engine.connect().close()
                return
            except sa.exc.DBAPIError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"No answer ({error}). The server said:\n{self.log.read_text()}") from error
            time.sleep(0.05)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop it, and start it again at the end."""
        self.close()
        self.process.send_signal(self._stops)
        self.process.wait(PATIENCE)
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it take connections and say nothing."""
        pids = [self.process.pid, *self._children()]
        _send(signal.SIGSTOP, pids)
        try:
            while not all(map(_is_stopped, pids)):  # each goes on for a moment, and the system tells nobody when not
                time.sleep(0.001)
            yield
        finally:
            _send(signal.SIGCONT, pids)

    def _children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _is_stopped(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # a connection's, which had ended
        return True
    return state in "TZX"


def _send(wanted: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a connection's, which had ended
            os.kill(pid, wanted)


def postgresql_programs() -> tuple[str, str]:
    """Return where `initdb` and `postgres` are.

    :raises Missing: PostgreSQL is not installed.
    """
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))
    return _program("initdb", programs), _program("postgres", programs)


@contextlib.contextmanager
def postgresql() -> Iterator[DatabaseServer]:
    """Start PostgreSQL. It refuses to run as root: then it runs as the user its package made."""
    initdb, server = postgresql_programs()
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        data, port = f"{folder}/data", free_port()
        _as("postgres", folder, [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
        command = [server, "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "max_connections=200"]
        command += ["-c", "max_prepared_transactions=2"]  # for commits in two steps
        command += ["-c", "random_page_cost=1.1"]  # as everybody sets it who has no spinning disks
        url = sa.URL.create("postgresql+psycopg", "postgres", host="127.0.0.1", port=port, database="postgres")
        found = DatabaseServer(url, create='CREATE DATABASE "{name}"', stops=signal.SIGINT)
        with _running("postgres", folder, command, found):
            yield found


@contextlib.contextmanager
def mariadb() -> Iterator[DatabaseServer]:
    """Start MariaDB; as root, it runs as the user its package made."""
    install, server = (_program(name) for name in ("mariadb-install-db", "mariadbd"))
    with tempfile.TemporaryDirectory(prefix="mariadb-") as folder:
        data, port = f"{folder}/data", free_port()
        quick = ["--no-defaults", f"--datadir={data}", "--skip-name-resolve"]
        _as("mysql", folder, [install, *quick, "--auth-root-authentication-method=normal", "--skip-test-db"])
        command = [server, *quick, f"--socket={folder}/socket", f"--port={port}", "--bind-address=127.0.0.1"]
        command += [f"--pid-file={folder}/pid", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        url = sa.URL.create("mysql+pymysql", "root", host="127.0.0.1", port=port, database="mysql")
        create = "CREATE DATABASE `{name}` CHARACTER SET utf8mb4"
        with _running("mysql", folder, command, DatabaseServer(url, create=create)) as found:
            yield found


def _program(name: str, folder: Path | None = None) -> str:
    found = shutil.which(name, path=f"{folder}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        raise Missing(f"there is no {name} here")
    return found


def _command_as(user: str, folder: str, command: list[str]) -> list[str]:
    if os.getuid() != 0:
        return command
    shutil.chown(folder, user, user)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]


def _as(user: str, folder: str, command: list[str]) -> None:
    subprocess.run(_command_as(user, folder, command), check=True, capture_output=True, cwd=folder, timeout=PATIENCE)


@contextlib.contextmanager
def _running(user: str, folder: str, command: list[str], server: DatabaseServer) -> Iterator[DatabaseServer]:
    def launch() -> subprocess.Popen[bytes]:
        with server.log.open("ab") as out:
            return subprocess.Popen(_command_as(user, folder, command), stdout=out, stderr=out, cwd=folder)

    server.log, server.launch = Path(folder) / "log", launch
    try:
        server.start()
        yield server
    finally:
        server.close()
        server.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(5)
        server.process.kill()
        server.process.wait()
