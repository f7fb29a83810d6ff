"""UsedState: what was good for one use, and was used."""

import hashlib
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from ..database import UTCDateTime, exact_text
from ..transactions import atomic
from .base import Base


class UsedState(Base):
    """The digest of a text that was used, for as long as it would be good otherwise."""

    __tablename__ = "stormpath_used_states"

    digest: Mapped[str] = mapped_column(exact_text(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


def use(text: str, until: datetime) -> bool:
    """Use a text that is good until then, and commit. False: it was used before, or somebody else uses it just now."""
    used = {"digest": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), "expires_at": until}
    try:
        with atomic() as current:
            current.connection().execute(_USE, used)
    except IntegrityError:
        return False
    return True


_USE = sa.insert(UsedState)
