"""The first tables: tenant, applications, directories with their password policy, accounts, sessions, audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None


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


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "stormpath_audit_events",
        sa.Column("id", exact(22), nullable=False),
        sa.Column("at", moment(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("application_id", exact(22), nullable=True),
        sa.Column("directory_id", exact(22), nullable=True),
        sa.Column("account_id", exact(22), nullable=True),
        sa.Column("actor_id", exact(22), nullable=True),
        sa.Column("interface", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_audit_events"),
    )
    op.create_index(
        "ix_stormpath_audit_events_account_id_id", "stormpath_audit_events", ["account_id", "id"], unique=False
    )
    op.create_table(
        "stormpath_tenants",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=63), nullable=False),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_tenants"),
        sa.UniqueConstraint("key", name="uq_stormpath_tenants_key"),
    )
    op.create_table(
        "stormpath_applications",
        sa.Column("tenant_id", exact(22), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", exact(255), nullable=False),
        sa.Column("description", sa.String(length=4000), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["stormpath_tenants.id"], name="fk_stormpath_applications_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_applications"),
        sa.UniqueConstraint("name_key", "tenant_id", name="uq_stormpath_applications_name_key_tenant_id"),
    )
    op.create_table(
        "stormpath_directories",
        sa.Column("tenant_id", exact(22), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("name_key", exact(255), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["stormpath_tenants.id"], name="fk_stormpath_directories_tenant_id"),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_directories"),
        sa.UniqueConstraint("name_key", "tenant_id", name="uq_stormpath_directories_name_key_tenant_id"),
    )
    op.create_table(
        "stormpath_account_store_mappings",
        sa.Column("application_id", exact(22), nullable=False),
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("list_index", sa.Integer(), nullable=False),
        sa.Column("is_default_account_store", sa.Boolean(), nullable=False),
        sa.Column("is_default_group_store", sa.Boolean(), nullable=False),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["stormpath_applications.id"],
            name="fk_stormpath_account_store_mappings_application_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["directory_id"],
            ["stormpath_directories.id"],
            name="fk_stormpath_account_store_mappings_directory_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_account_store_mappings"),
        sa.UniqueConstraint(
            "application_id", "directory_id", name="uq_stormpath_account_store_mappings_application_id_directory_id"
        ),
    )
    op.create_index(
        "ix_stormpath_account_store_mappings_directory_id",
        "stormpath_account_store_mappings",
        ["directory_id"],
        unique=False,
    )
    op.create_table(
        "stormpath_accounts",
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("given_name", sa.String(length=255), nullable=True),
        sa.Column("middle_name", sa.String(length=255), nullable=True),
        sa.Column("surname", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("password_hash", exact(128), nullable=True),
        sa.Column("password_modified_at", moment(), nullable=True),
        sa.Column("id", exact(22), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["directory_id"],
            ["stormpath_directories.id"],
            name="fk_stormpath_accounts_directory_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_accounts"),
    )
    op.create_index("ix_stormpath_accounts_directory_id_id", "stormpath_accounts", ["directory_id", "id"], unique=False)
    op.create_table(
        "stormpath_password_policies",
        sa.Column("id", exact(22), nullable=False),
        sa.Column("refuses_common", sa.Boolean(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["stormpath_directories.id"], name="fk_stormpath_password_policies_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_password_policies"),
    )
    op.create_table(
        "stormpath_account_sessions",
        sa.Column("id", exact(22), nullable=False),
        sa.Column("account_id", exact(22), nullable=False),
        sa.Column("application_id", exact(22), nullable=False),
        sa.Column("token_hash", exact(64), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("last_seen_at", moment(), nullable=False),
        sa.Column("expires_at", moment(), nullable=False),
        sa.Column("remembered", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["stormpath_accounts.id"],
            name="fk_stormpath_account_sessions_account_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["stormpath_applications.id"],
            name="fk_stormpath_account_sessions_application_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_account_sessions"),
    )
    op.create_index(
        "ix_stormpath_account_sessions_account_id", "stormpath_account_sessions", ["account_id"], unique=False
    )
    op.create_index(
        "ix_stormpath_account_sessions_application_id", "stormpath_account_sessions", ["application_id"], unique=False
    )
    op.create_table(
        "stormpath_login_names",
        sa.Column("directory_id", exact(22), nullable=False),
        sa.Column("name_key", exact(255), nullable=False),
        sa.Column("account_id", exact(22), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["stormpath_accounts.id"], name="fk_stormpath_login_names_account_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["directory_id"],
            ["stormpath_directories.id"],
            name="fk_stormpath_login_names_directory_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("directory_id", "name_key", name="pk_stormpath_login_names"),
    )
    op.create_index("ix_stormpath_login_names_account_id", "stormpath_login_names", ["account_id"], unique=False)
    op.create_table(
        "stormpath_password_strengths",
        sa.Column("id", exact(22), nullable=False),
        sa.Column("min_length", sa.Integer(), nullable=False),
        sa.Column("max_length", sa.Integer(), nullable=False),
        sa.Column("min_lower_case", sa.Integer(), nullable=False),
        sa.Column("min_upper_case", sa.Integer(), nullable=False),
        sa.Column("min_numeric", sa.Integer(), nullable=False),
        sa.Column("min_symbol", sa.Integer(), nullable=False),
        sa.Column("min_diacritic", sa.Integer(), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("modified_at", moment(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["stormpath_password_policies.id"], name="fk_stormpath_password_strengths_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stormpath_password_strengths"),
    )


def downgrade() -> None:
    """Drop the tables, and everything in them."""
    op.drop_table("stormpath_password_strengths")
    op.drop_table("stormpath_login_names")
    op.drop_table("stormpath_account_sessions")
    op.drop_table("stormpath_password_policies")
    op.drop_table("stormpath_accounts")
    op.drop_table("stormpath_account_store_mappings")
    op.drop_table("stormpath_directories")
    op.drop_table("stormpath_applications")
    op.drop_table("stormpath_tenants")
    op.drop_table("stormpath_audit_events")
