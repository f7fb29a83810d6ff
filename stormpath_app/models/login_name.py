"""LoginName: each key an account of a directory can be named by at login."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base, Id, Key


class LoginName(Base):
    """One e-mail address or username of a directory.

    Its primary key makes each unique in the directory, lets no username equal another account's address, and is the
    one look-up of a login.
    """

    __tablename__ = "stormpath_login_names"

    directory_id: Mapped[str] = mapped_column(
        Id, sa.ForeignKey("stormpath_directories.id", ondelete="CASCADE"), primary_key=True
    )
    name_key: Mapped[str] = mapped_column(Key, primary_key=True)
    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("stormpath_accounts.id", ondelete="CASCADE"), index=True)
