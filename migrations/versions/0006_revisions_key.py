"""One index of the revisions less: their key begins with the load that made them.

Each bar that a rollback takes away, and each one that a load restates, becomes a revision. Of the
time that writing it took, a quarter went into an index of `id` alone, by which nobody looks.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

KEY = """
ALTER TABLE bars_ohlcv_revisions
    DROP CONSTRAINT bars_ohlcv_revisions_pkey,
    ADD CONSTRAINT bars_ohlcv_revisions_pkey PRIMARY KEY (revised_at, id);
DROP INDEX bars_ohlcv_revisions_revised_at_idx
"""

DOWN = """
ALTER TABLE bars_ohlcv_revisions
    DROP CONSTRAINT bars_ohlcv_revisions_pkey,
    ADD CONSTRAINT bars_ohlcv_revisions_pkey PRIMARY KEY (id);
CREATE INDEX bars_ohlcv_revisions_revised_at_idx ON bars_ohlcv_revisions (revised_at)
"""


def upgrade() -> None:
    op.execute(KEY)


def downgrade() -> None:
    op.execute(DOWN)
