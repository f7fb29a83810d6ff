"""PostgreSQL looks closer at the texts that are searched, so that it chooses well between its two ways to find some."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Keep ten times as many samples as usual: a term that one in five hundred has is then told from a rare one."""
    _keep(1000)


def downgrade() -> None:
    """Keep as many as of any column."""
    _keep(-1)


def _keep(samples: int) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE stormpath_accounts ALTER COLUMN search_text SET STATISTICS {samples}")
