"""What Alembic runs before a migration. It is given a connection whose transaction has begun."""

from alembic import context

from stormpath_app.migrations import VERSION_TABLE
from stormpath_app.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
