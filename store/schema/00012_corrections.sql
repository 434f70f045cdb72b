-- +goose Up
-- Summaries of one period can follow one another: each correction names the one whose place it takes. The table is made
-- anew, and so is push, which refers to it, because a UNIQUE of the old one allowed one summary per period.
CREATE TABLE summary_now (
	id           TEXT PRIMARY KEY, -- the summary's UUID
	node_id      TEXT NOT NULL, -- whose counts they are
	own          INTEGER NOT NULL, -- 1 made by this node, 0 received
	granularity  TEXT NOT NULL, -- hourly, daily or weekly
	period_start INTEGER NOT NULL, -- ns since 1970, inclusive
	period_end   INTEGER NOT NULL, -- ns since 1970, exclusive
	received_at  INTEGER, -- ns since 1970; NULL for own ones
	revision     INTEGER NOT NULL, -- of its period: 0 the first that was stored here, 1 what took its place, and so on
	replaced_by  TEXT, -- ID of the correction that took its place; NULL: it is the current one
	wire         BLOB NOT NULL -- the signed bytes, which alone are believed
) STRICT;

INSERT INTO summary_now (id, node_id, own, granularity, period_start, period_end, received_at, revision, replaced_by, wire)
	SELECT id, node_id, own, granularity, period_start, period_end, received_at, 0, NULL, wire FROM summary;

CREATE TABLE push_now (
	summary_id TEXT NOT NULL REFERENCES summary_now (id) ON DELETE CASCADE, -- an own summary
	peer       TEXT NOT NULL, -- node ID
	pushed_at  INTEGER NOT NULL, -- ns since 1970
	PRIMARY KEY (summary_id, peer)
) STRICT, WITHOUT ROWID;

INSERT INTO push_now (summary_id, peer, pushed_at) SELECT summary_id, peer, pushed_at FROM push;

DROP TABLE push;
DROP TABLE summary;
ALTER TABLE summary_now RENAME TO summary;
ALTER TABLE push_now RENAME TO push;

-- One summary of a period is current: for each key of another node, and for this node, whatever its key was at the time.
CREATE UNIQUE INDEX summary_current ON summary (node_id, granularity, period_start) WHERE replaced_by IS NULL;
CREATE UNIQUE INDEX summary_own ON summary (granularity, period_start) WHERE own = 1 AND replaced_by IS NULL;
CREATE UNIQUE INDEX summary_corrections ON summary (granularity, period_start, revision) WHERE own = 1;
CREATE INDEX summary_period ON summary (period_start, id);
CREATE INDEX summary_node ON summary (node_id);

-- Ended hours whose counts have changed since summaries were looked at: a command came late, was imported or deleted.
CREATE TABLE changed_hour (
	hour     INTEGER PRIMARY KEY, -- hours since 1970
	changes  INTEGER NOT NULL, -- how often
	first_at INTEGER NOT NULL, -- ns since 1970: the first of these changes
	last_at  INTEGER NOT NULL -- ns since 1970: the last of them
) STRICT;

-- From where on the counts are whole. Retention has removed what was before; late commands of before are counted alone.
CREATE TABLE counts_since (
	only INTEGER PRIMARY KEY CHECK (only = 1), -- there is one row
	hour INTEGER NOT NULL -- hours since 1970
) STRICT;

INSERT INTO counts_since (only, hour) SELECT 1, coalesce(min(hour), 0) FROM rollup;
