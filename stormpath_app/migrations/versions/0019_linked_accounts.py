"""Accounts of different directories that are one person's, and what an application does about them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0019"
down_revision = "0018"

LINKS, POLICIES = "stormpath_account_links", "stormpath_account_linking_policies"
ENDS = ("left_account_id", "right_account_id")


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
    """Make the tables, with a policy for each application that is there."""
    op.create_table(
        LINKS,
        *(sa.Column(end, exact(22), nullable=False) for end in ENDS),
        sa.Column("low_end", exact(44), nullable=False),
        sa.Column("high_end", exact(44), nullable=False),
        sa.Column("confirmed_at", moment(), nullable=True),
        *of_every_resource(),
        *(
            sa.ForeignKeyConstraint([end], ["stormpath_accounts.id"], name=f"fk_{LINKS}_{end}", ondelete="CASCADE")
            for end in ENDS
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{LINKS}"),
        sa.UniqueConstraint("low_end", name=f"uq_{LINKS}_low_end"),
        sa.UniqueConstraint("high_end", name=f"uq_{LINKS}_high_end"),
    )
    for end in ENDS:
        op.create_index(f"ix_{LINKS}_{end}", LINKS, [end])
    policies = op.create_table(
        POLICIES,
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("automatic_provisioning", sa.String(length=16), nullable=False),
        sa.Column("matching_property", sa.String(length=16), nullable=True),
        *of_every_resource(),
        sa.ForeignKeyConstraint(["id"], ["stormpath_applications.id"], name=f"fk_{POLICIES}_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{POLICIES}"),
    )
    applications = sa.table("stormpath_applications", sa.column("id"), sa.column("created_at", moment()))
    for one, at in op.get_bind().execute(sa.select(applications.c.id, applications.c.created_at)).all():
        row = {"id": one, "created_at": at, "modified_at": at, "version": 1}
        op.bulk_insert(policies, [{**row, "status": "DISABLED", "automatic_provisioning": "DISABLED"}])


def downgrade() -> None:
    """Drop them: each account is one by itself."""
    op.drop_table(POLICIES)
    op.drop_table(LINKS)
