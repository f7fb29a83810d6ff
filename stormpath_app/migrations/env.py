"""What Alembic runs before a migration. It is given a connection whose transaction has begun."""

from alembic import context

from stormpath_app.migrations import VERSION_TABLE, is_of_the_models
from stormpath_app.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_name=is_of_the_models,
    render_as_batch=True,
)
context.run_migrations()
