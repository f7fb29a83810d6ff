"""What a directory asks of its accounts: domains of e-mail addresses, names. And who has verified their address."""

import secrets
import string

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Text that compares byte by byte."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def moment() -> sa.types.TypeEngine[object]:
    """A time in UTC, to the microsecond."""
    return (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def of_every_resource() -> tuple[sa.Column[object], ...]:
    """The columns that each resource has."""
    return (
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
    )


def upgrade() -> None:
    """Make the tables, with rows for the directories that are there, and add the column."""
    policies = op.create_table(
        "stormpath_account_creation_policies",
        sa.Column("email_domain_whitelist", sa.Text(), nullable=False),
        sa.Column("email_domain_blacklist", sa.Text(), nullable=False),
        *of_every_resource(),
        sa.ForeignKeyConstraint(
            ["id"],
            ["stormpath_directories.id"],
            name="fk_stormpath_account_creation_policies_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_account_creation_policies"),
    )
    schemas = op.create_table(
        "stormpath_account_schemas",
        *of_every_resource(),
        sa.ForeignKeyConstraint(
            ["id"], ["stormpath_directories.id"], name="fk_stormpath_account_schemas_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_account_schemas"),
    )
    fields = op.create_table(
        "stormpath_fields",
        sa.Column("schema_id", exact(22), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        *of_every_resource(),
        sa.ForeignKeyConstraint(
            ["schema_id"],
            ["stormpath_account_schemas.id"],
            name="fk_stormpath_fields_schema_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_fields"),
        sa.UniqueConstraint("schema_id", "name", name="uq_stormpath_fields_schema_id_name"),
    )
    # The database's default stays, as processes of the version before may still write accounts.
    op.add_column(
        "stormpath_accounts",
        sa.Column("email_verification_status", sa.String(length=16), server_default="UNKNOWN", nullable=False),
    )
    for row in directories():
        op.bulk_insert(policies, [{**row, "email_domain_whitelist": "[]", "email_domain_blacklist": "[]"}])
        op.bulk_insert(schemas, [row])
        op.bulk_insert(
            fields,
            [{**row, "id": new_id(), "schema_id": row["id"], "name": n, "required": False} for n in FIELDS],
        )


FIELDS = ("givenName", "surname")


def directories() -> list[dict[str, object]]:
    """Return id and time of each directory, as a row of what is made for it."""
    table = sa.table("stormpath_directories", sa.column("id"), sa.column("created_at", moment()))
    found = op.get_bind().execute(sa.select(table.c.id, table.c.created_at)).all()
    return [{"id": one, "created_at": at, "modified_at": at, "version": 1} for one, at in found]


def new_id() -> str:
    """Return 22 letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(22))


def downgrade() -> None:
    """Drop them: every domain and every name is taken, and nobody knows who has verified their address."""
    # Not in a batch: on SQLite that makes a new table, and what points at accounts would be deleted with the old one.
    op.drop_column("stormpath_accounts", "email_verification_status")
    for name in ("stormpath_fields", "stormpath_account_schemas", "stormpath_account_creation_policies"):
        op.drop_table(name)
