"""Debian's Chromium, driven by Playwright."""

import os
import shutil
import subprocess
from pathlib import Path

import playwright
from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = "apt-get install --no-install-recommends chromium fonts-dejavu-core libatomic1"
#: Nothing but what it is asked for.
_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing() -> str | None:
    """Return what is not there, and how to get it; None where Chromium can be driven."""
    if _program() is None:
        return f"There is no Chromium here. To install it: {INSTALL}"
    node = Path(playwright.__file__).parent / "driver" / "node"
    if subprocess.run([node, "--version"], capture_output=True, check=False).returncode:
        return f"Playwright's driver cannot run here; it may lack a library. To install it: {INSTALL}"
    return None


def launch(driver: Playwright, *, with_back_forward_cache: bool = False) -> Browser:
    """Start Chromium.

    :param with_back_forward_cache: Playwright switches off what people's browsers have: whole pages that wait in memory
        for the back button. Its own way of waiting for a page does not know them.
    """
    dropped = ["--disable-back-forward-cache"] if with_back_forward_cache else []
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return driver.chromium.launch(executable_path=_program(), args=[*sandbox, *_QUIET], ignore_default_args=dropped)


def _program() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)
