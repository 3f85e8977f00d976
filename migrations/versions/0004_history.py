"""What each file did to the bars that were stored before it, and what it looks like."""

from alembic import op

revision = "0004"
down_revision = "0003"

HISTORY = """
ALTER TABLE job_run_files
    ADD COLUMN bars_changed bigint NOT NULL DEFAULT 0,
    ADD COLUMN bars_inserted_between bigint NOT NULL DEFAULT 0,
    ADD COLUMN bars_gone bigint NOT NULL DEFAULT 0,
    ADD COLUMN bars_deleted bigint NOT NULL DEFAULT 0,
    ADD COLUMN series jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN findings jsonb NOT NULL DEFAULT '[]';
COMMENT ON COLUMN job_run_files.bars_changed IS
    'stored bars that the file changed, or would have changed if it was refused';
COMMENT ON COLUMN job_run_files.bars_inserted_between IS
    'new bars between the first and last stored one of their series';
COMMENT ON COLUMN job_run_files.bars_gone IS
    'bars stored within the span of the file, and absent from it';
COMMENT ON COLUMN job_run_files.bars_deleted IS 'those of them that were deleted';
COMMENT ON COLUMN job_run_files.series IS 'the same counts by series, the most first';
COMMENT ON COLUMN job_run_files.findings IS 'what the file looks like beside the stored bars'
"""

DOWN = """
ALTER TABLE job_run_files
    DROP COLUMN bars_changed,
    DROP COLUMN bars_inserted_between,
    DROP COLUMN bars_gone,
    DROP COLUMN bars_deleted,
    DROP COLUMN series,
    DROP COLUMN findings
"""


def upgrade() -> None:
    op.execute(HISTORY)


def downgrade() -> None:
    op.execute(DOWN)
