"""Store: what a server must be able to do to keep rows for several processes and machines."""

import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

#: How long a connection, and each answer, may take, in seconds; and all answers to a page together before the last.
# To look for a value, and to begin to change one and give it up, takes four of them: so a page waits for a second.
PATIENCE = 0.25
#: How often somebody else may have been quicker to change a value.
RACES = 100
#: What becomes of a value, and how many seconds it is kept then; None: it stays. It may be asked several times.
Change = Callable[[bytes | None], tuple[bytes, int] | None]


class Unreachable(Exception):
    """The store did not answer in time, or not what it should."""


class Store(ABC):
    """A server that keeps bytes by key. All of this raises `Unreachable`.

    :param options: what its client is made with.
    """

    #: What `pip install 'stormpath-app[…]'` brings its client, and the client's option for how long an answer may take.
    extra: ClassVar[str]
    timeout: ClassVar[str]

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._client: Any = None

    @property
    def patience(self) -> float:
        """How long it is waited for an answer, in seconds: the options may say otherwise, None is without end."""
        said = self._options.get(self.timeout, PATIENCE)
        return math.inf if said is None else float(said)

    @property
    def client(self) -> Any:
        """The client; it connects when it is first used.

        :raises ImportError: it is not installed.
        :raises TypeError, ValueError: an option is none of its, or has a value that cannot be.
        """
        if self._client is None:
            self._client = self._open()
            self._closing = weakref.finalize(self, self._client.close)
        return self._client

    def forget_client(self) -> None:
        """Connect anew from now on: after a fork, as connections are the parent's."""
        if self._client is not None:
            self._closing.detach()
            self._client = None

    @abstractmethod
    def _open(self) -> Any:
        """Make the client, with a pool of connections that threads share."""

    @property
    def life(self) -> str:
        """What the server has of its own since it was started, where it can come back with what it had before."""
        return ""

    @abstractmethod
    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the value of each key, in one round trip; None where there is none."""

    @abstractmethod
    def set(self, key: str, value: bytes, seconds: int) -> None:
        """Keep a value for so long."""

    @abstractmethod
    def touch(self, key: str, seconds: int) -> None:
        """Keep a value that is there for so long from now on."""

    @abstractmethod
    def change(self, key: str, change: Change) -> bytes:
        """Change a value by what it is, with nobody in between; return what is there then."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Forget a value."""
