"""Groups as account stores, and the addresses that an application trusts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

TABLE, APPLICATIONS = "stormpath_account_store_mappings", "stormpath_applications"
URIS = ("authorized_callback_uris", "authorized_origin_uris")
UNIQUE, INDEX = f"uq_{TABLE}_application_id_", f"ix_{TABLE}_"


def exact(length: int) -> sa.types.TypeEngine[str]:
    """Text that compares byte by byte."""
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Add the columns. The account stores there are, are directories."""
    with op.batch_alter_table(TABLE) as table:
        table.add_column(sa.Column("group_id", exact(22), nullable=True))
        table.add_column(sa.Column("store_id", exact(22), nullable=True))
    op.execute(f"UPDATE {TABLE} SET store_id = directory_id")  # noqa: S608 - our own table
    # What is new comes first: on MySQL a foreign key is never without an index.
    with op.batch_alter_table(TABLE) as table:
        table.alter_column("store_id", existing_type=exact(22), nullable=False)
        table.create_unique_constraint(f"{UNIQUE}store_id", ["application_id", "store_id"])
        table.create_index(f"{INDEX}directory_id_application_id", ["directory_id", "application_id"])
        table.create_index(f"{INDEX}group_id", ["group_id"])
        table.create_foreign_key(f"fk_{TABLE}_group_id", "stormpath_groups", ["group_id"], ["id"], ondelete="CASCADE")
    with op.batch_alter_table(TABLE) as table:
        table.drop_constraint(f"{UNIQUE}directory_id", type_="unique")
        table.drop_index(f"{INDEX}directory_id")
    for name in URIS:
        op.add_column(APPLICATIONS, sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    """Drop the columns, and what the version before knows nothing of: groups are account stores no more."""
    op.execute(f"DELETE FROM {TABLE} WHERE group_id IS NOT NULL")  # noqa: S608 - our own table
    with op.batch_alter_table(TABLE) as table:
        table.create_unique_constraint(f"{UNIQUE}directory_id", ["application_id", "directory_id"])
        table.create_index(f"{INDEX}directory_id", ["directory_id"])
    with op.batch_alter_table(TABLE) as table:
        table.drop_constraint(f"fk_{TABLE}_group_id", type_="foreignkey")
        table.drop_index(f"{INDEX}group_id")
        table.drop_index(f"{INDEX}directory_id_application_id")
        table.drop_constraint(f"{UNIQUE}store_id", type_="unique")
        table.drop_column("store_id")
        table.drop_column("group_id")
    for name in URIS:  # not as a batch, which drops SQLite's table, and what points at it goes along
        op.drop_column(APPLICATIONS, name)
