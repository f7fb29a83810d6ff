"""What the cache has in the database, beside the log of changes that only SQLite has (migration 0020)."""

import sqlalchemy as sa

from ..database import UTCDateTime, metadata

#: One row, whose number is raised with each change that a shared store could not be told of.
generation = sa.Table(
    "stormpath_cache_generation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, nullable=False),
)

#: How often rows of a region were found in an hour, and how often not, of all processes together.
counts = sa.Table(
    "stormpath_cache_counts",
    metadata,
    sa.Column("hour", UTCDateTime, primary_key=True),
    sa.Column("region", sa.String(16), primary_key=True),
    sa.Column("hits", sa.BigInteger, nullable=False),
    sa.Column("misses", sa.BigInteger, nullable=False),
)
