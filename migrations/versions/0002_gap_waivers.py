"""Waivers: gaps that people declared as expected."""

from alembic import op

revision = "0002"
down_revision = "0001"

# A waiver covers whole sessions, whatever their hours and timestamps, or an exact stretch of time;
# never both. NULL for provider or interval means all of them.
WAIVERS = """
CREATE TABLE bars_gap_waivers (
    id            bigserial PRIMARY KEY,
    provider      text COLLATE "C",
    symbol        text COLLATE "C" NOT NULL,
    interval      text COLLATE "C",
    first_session date,
    last_session  date,
    first_ts      timestamptz,
    last_ts       timestamptz,
    reason        text NOT NULL,
    waived_by     text NOT NULL DEFAULT session_user,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bars_gap_waivers_symbol_check CHECK (symbol = upper(symbol)),
    CONSTRAINT bars_gap_waivers_reason_check CHECK (reason <> ''),
    CONSTRAINT bars_gap_waivers_span_check CHECK (
        (num_nulls(first_session, last_session) = 0 AND num_nulls(first_ts, last_ts) = 2
         AND first_session <= last_session)
        OR (num_nulls(first_session, last_session) = 2 AND num_nulls(first_ts, last_ts) = 0
            AND first_ts <= last_ts))
);
COMMENT ON TABLE bars_gap_waivers IS 'gaps that are known to be no fault, and why';

CREATE UNIQUE INDEX bars_gap_waivers_span_idx ON bars_gap_waivers
    (symbol, provider, interval, first_session, last_session, first_ts, last_ts)
    NULLS NOT DISTINCT
"""


def upgrade() -> None:
    op.execute(WAIVERS)


def downgrade() -> None:
    op.execute("DROP TABLE bars_gap_waivers")
