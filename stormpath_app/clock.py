"""The one clock. Everything that asks for the time asks here, so that a test can hold it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return this moment, aware, in UTC."""
    return datetime.now(UTC)
