"""Whether the process is alive, and whether it can serve: for what watches a site, such as a load balancer."""

import threading
from concurrent.futures import Future

from flask import Flask, current_app
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from ..database import outage, session
from ..errors import DatabaseUnavailable, NotReady

#: How long the database may take to answer, in seconds.
ANSWERS = 2.5


class Health:
    """Asks, in a thread of its own, whether an app can serve; those who ask at the same time are told the same.

    So nobody waits for long, whatever the engine is like, and a database that hangs has one thread that waits for it.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._lock = threading.Lock()
        self._asking: Future[None] = Future()
        self._asking.set_result(None)

    def check(self) -> None:
        """Return if settings, schema and application are right, and the database answers.

        :raises NotReady: they are not, or it does not.
        """
        with self._lock:
            asking = self._asking
            if asking.done():
                asking = Future()
                threading.Thread(target=self._ask, args=(asking,), daemon=True).start()
                self._asking = asking  # now, as there may be no thread left
        try:
            asking.result(ANSWERS)
        except TimeoutError as error:
            raise DatabaseUnavailable([f"The database did not answer in {ANSWERS} seconds."]) from error

    def _ask(self, asking: "Future[None]") -> None:
        try:
            with self.app.app_context():
                self._look()
        except Exception as error:  # noqa: BLE001 - whoever asked raises it
            asking.set_exception(error)
        else:
            asking.set_result(None)

    def _look(self) -> None:
        try:
            self.app.extensions["stormpath"].require_ready()
            session.connection().exec_driver_sql("SELECT 1")
        except SQLAlchemyError as error:
            raise outage(error) from error


def health() -> ResponseReturnValue:
    """Tell whether requests may be sent here."""
    try:
        current_app.extensions["stormpath"].health.check()
    except DatabaseUnavailable as error:
        return {"status": "unavailable"}, error.status, {"Retry-After": str(error.retry_after)}
    except NotReady as error:  # the log has what is missing
        return {"status": "not ready"}, error.status
    return {"status": "ok"}


def live() -> ResponseReturnValue:
    """Tell that the process answers. One whose database is gone should not be started again for that."""
    return {"status": "ok"}
