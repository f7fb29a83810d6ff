"""The thread that sends the mails of one app, where MAIL_DELIVERY is "thread"; and who is told of a new mail."""

import atexit
import os
import random
import threading
from typing import Any

from flask import Flask

from .. import clock
from ..database import is_in_memory, url
from .delivery import deliver_due, next_due

#: How long the thread sleeps at most, in seconds: other processes write mails too.
LONGEST_SLEEP = 60.0
#: How long it waits when a mail was written, in seconds: anything between these two.
PAUSE = 0.25, 1.0
#: How long the end of a process waits for the mail that is being sent, in seconds.
FAREWELL = 3.0


class Courier:
    """Sends an app's mails in a thread of its own, one for each process. A fork of a process begins another."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._threads: dict[int, _Thread] = {}  # by process: a fork inherits the entry, and not the thread

    def start(self) -> None:
        """Begin, if the setting says so and this process has not. It is asked with each request."""
        process = os.getpid()
        if process in self._threads or self._app.testing or self._app.config["STORMPATH_MAIL_DELIVERY"] != "thread":
            return
        thread = _Thread(self._app)
        if self._threads.setdefault(process, thread) is thread:
            thread.start()
            atexit.register(thread.stop)

    def stop(self) -> None:
        """End it in this process; the next request begins another."""
        if thread := self._threads.pop(os.getpid(), None):
            atexit.unregister(thread.stop)
            thread.stop()

    def receive(self, _app: Flask, message_id: str, **_known: Any) -> None:
        """Take note of a mail that was written: wake the thread, or call what MAIL_DELIVERY holds."""
        delivery = self._app.config["STORMPATH_MAIL_DELIVERY"]
        if callable(delivery):
            delivery(message_id)
        elif thread := self._threads.get(os.getpid()):
            thread.woken.set()


class _Thread(threading.Thread):
    def __init__(self, app: Flask) -> None:
        super().__init__(name="stormpath mail", daemon=True)
        self.woken = threading.Event()
        self._app = app
        self._ending = threading.Event()
        self._complaint: str | None = None

    def run(self) -> None:
        """Send what is due, and sleep."""
        while not self._ending.is_set():
            self.woken.clear()
            if self.woken.wait(self._send()):
                # The request that wrote the mail is answered first: by the work that a request of a stranger makes,
                # they could tell whether there is an account.
                self._ending.wait(random.uniform(*PAUSE))  # noqa: S311 - no secret

    def stop(self) -> None:
        """Let the mail that is being sent be the last."""
        self._ending.set()
        self.woken.set()
        self.join(FAREWELL)

    def _send(self) -> float:
        """Send what is due; return how long there is nothing to do, in seconds."""
        try:
            if is_in_memory(url(self._app)):  # it has one connection, and each commit here would be one of a request's
                self._app.logger.info("The database is in memory: no thread sends mails from it.")
                self._ending.set()
                return 0
            with self._app.app_context():
                for _outcome in deliver_due():
                    if self._ending.is_set():
                        return 0
                due = next_due()
        except Exception as error:  # noqa: BLE001 - a database that is away comes back: the thread must be there then
            self._complain(f"{type(error).__name__}: {error}")
            return LONGEST_SLEEP
        self._complaint = None
        return min(max((due - clock.now()).total_seconds(), 1), LONGEST_SLEEP) if due else LONGEST_SLEEP

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint and not self._ending.is_set():
            self._app.logger.warning("No mail can be sent now: %s", complaint)
        self._complaint = complaint
