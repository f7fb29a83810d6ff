"""Providers that accounts come from, what those tell of each account, and states that were used."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0018"
down_revision = "0017"


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Text that compares byte by byte."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def long_text() -> sa.types.TypeEngine[str]:
    """Text of more than 64 kB."""
    return sa.Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def moment() -> sa.types.TypeEngine[object]:
    """A time in UTC, to the microsecond."""
    return (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def of_a_resource() -> tuple[sa.Column[object], ...]:
    """Return what each resource has."""
    return (
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )


def goes_with(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    """A foreign key to a row that takes this one along."""
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    """Make the tables. All directories there are have accounts of their own.

    The database's default stays, for processes of the version before.
    """
    op.add_column(
        "stormpath_directories", sa.Column("provider_id", exact(50), server_default="stormpath", nullable=False)
    )
    name = "stormpath_providers"
    op.create_table(
        name,
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=True),
        sa.Column("client_id", sa.String(1000), nullable=True),
        sa.Column("sealed_client_secret", long_text(), nullable=True),
        sa.Column("redirect_uri", sa.String(1000), nullable=True),
        sa.Column("issuer", sa.String(1000), nullable=True),
        sa.Column("hosted_domain", sa.String(255), nullable=True),
        sa.Column("scope", sa.Text(), nullable=True),
        sa.Column("authorization_endpoint", sa.String(1000), nullable=True),
        sa.Column("token_endpoint", sa.String(1000), nullable=True),
        sa.Column("resource_endpoint", sa.String(1000), nullable=True),
        sa.Column("id_field", sa.String(255), nullable=True),
        sa.Column("may_register", sa.Boolean(), nullable=True),
        *of_a_resource(),
        goes_with(name, "id", "stormpath_directories"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
    name = "stormpath_provider_data"
    op.create_table(
        name,
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("subject", exact(255), nullable=False),
        sa.Column("stored_user_info", long_text(), nullable=False),
        sa.Column("sealed_access_token", long_text(), nullable=True),
        sa.Column("sealed_refresh_token", long_text(), nullable=True),
        *of_a_resource(),
        goes_with(name, "id", "stormpath_accounts"),
        goes_with(name, "directory_id", "stormpath_directories"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("directory_id", "subject", name=f"uq_{name}_directory_id_subject"),
    )
    name = "stormpath_used_states"
    op.create_table(
        name,
        sa.Column("digest", exact(64), nullable=False),
        sa.Column("expires_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=f"pk_{name}"),
    )
    op.create_index(f"ix_{name}_expires_at", name, ["expires_at"])


def downgrade() -> None:
    """Drop them. Accounts that came by a provider stay as any others without a password: disable them, or a link to a
    new password lets their owners in; and who comes by the provider later is nobody of them.
    """
    for name in ("stormpath_used_states", "stormpath_provider_data", "stormpath_providers"):
        op.drop_table(name)
    op.drop_column("stormpath_directories", "provider_id")
