"""Mail workflows: links that work once, mails that wait, what they say, and which of them a directory sends."""

import secrets
import string

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"

TEMPLATES = {
    "verification": "Default Verification Email Template",
    "verification_success": "Default Verification Success Email Template",
    "welcome": "Default Welcome Email Template",
    "reset": "Default Password Reset Email Template",
    "reset_success": "Default Password Reset Success Email Template",
}


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


def goes_with(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    """A foreign key to a row that takes this one along."""
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def upgrade() -> None:
    """Make the tables, with templates for the directories that are there, and add the policies' columns."""
    name = "stormpath_one_time_tokens"
    op.create_table(
        name,
        sa.Column("id", exact(22), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("account_id", exact(22), nullable=False),
        sa.Column("application_id", exact(22), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("token_hash", exact(64), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("expires_at", moment(), nullable=False),
        goes_with(name, "account_id", "stormpath_accounts"),
        goes_with(name, "application_id", "stormpath_applications"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("token_hash", name=f"uq_{name}_token_hash"),
    )
    op.create_index(f"ix_{name}_account_id_purpose", name, ["account_id", "purpose"])
    op.create_index(f"ix_{name}_application_id", name, ["application_id"])
    name = "stormpath_outbox_messages"
    op.create_table(
        name,
        sa.Column("id", exact(22), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("account_id", exact(22), nullable=True),
        sa.Column("application_id", exact(22), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("address_key", exact(255), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("nonce", exact(64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", moment(), nullable=False),
        sa.Column("claimed_by", exact(64), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("sent_at", moment(), nullable=True),
        sa.Column("expires_at", moment(), nullable=True),
        goes_with(name, "account_id", "stormpath_accounts"),
        goes_with(name, "application_id", "stormpath_applications"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
    op.create_index(f"ix_{name}_status_due_at", name, ["status", "due_at"])
    op.create_index(f"ix_{name}_address_key_kind_created_at", name, ["address_key", "kind", "created_at"])
    for column in ("account_id", "application_id"):
        op.create_index(f"ix_{name}_{column}", name, [column])
    name = "stormpath_email_templates"
    templates = op.create_table(
        name,
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("mime_type", sa.String(length=32), nullable=False),
        sa.Column("link_base_url", sa.String(length=1000), nullable=True),
        sa.Column("from_name", sa.String(length=255), nullable=True),
        sa.Column("from_email_address", sa.String(length=255), nullable=True),
        sa.Column("reply_to", sa.String(length=255), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("text_body", sa.Text(), nullable=True),
        sa.Column("html_body", sa.Text(), nullable=True),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        goes_with(name, "directory_id", "stormpath_directories"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("directory_id", "kind", name=f"uq_{name}_directory_id_kind"),
    )
    # The database's defaults stay, as processes of the version before may still write directories.
    for table, column, kind, value in COLUMNS:
        op.add_column(table, sa.Column(column, kind, server_default=value, nullable=False))
    for directory_id, created_at in directories():
        kept = {"directory_id": directory_id, "created_at": created_at, "modified_at": created_at, "version": 1}
        rows = [
            {**kept, "id": new_id(), "kind": kind, "name": title, "mime_type": "multipart/alternative"}
            for kind, title in TEMPLATES.items()
        ]
        op.bulk_insert(templates, rows)


_PASSWORDS, _CREATION = "stormpath_password_policies", "stormpath_account_creation_policies"
COLUMNS = (
    (_PASSWORDS, "reset_token_ttl", sa.Integer(), "24"),
    (_PASSWORDS, "reset_email_status", sa.String(length=16), "ENABLED"),
    (_PASSWORDS, "reset_success_email_status", sa.String(length=16), "ENABLED"),
    (_CREATION, "verification_email_status", sa.String(length=16), "DISABLED"),
    (_CREATION, "verification_success_email_status", sa.String(length=16), "DISABLED"),
    (_CREATION, "welcome_email_status", sa.String(length=16), "DISABLED"),
    (_CREATION, "verification_token_ttl", sa.Integer(), "168"),
)


def directories() -> list[tuple[str, object]]:
    """Return id and time of each directory."""
    table = sa.table("stormpath_directories", sa.column("id"), sa.column("created_at", moment()))
    return [(one, at) for one, at in op.get_bind().execute(sa.select(table.c.id, table.c.created_at))]


def new_id() -> str:
    """Return 22 letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(22))


def downgrade() -> None:
    """Drop them: mails that wait, and links that were mailed, are gone."""
    for table, column, _kind, _value in COLUMNS:
        op.drop_column(table, column)
    for name in ("stormpath_email_templates", "stormpath_outbox_messages", "stormpath_one_time_tokens"):
        op.drop_table(name)
