-- +goose Up
-- Own summaries that were signed and are lost with a damaged file. Peers may have them: what is signed of the period from now
-- on is a correction that names the lost one.
CREATE TABLE lost_summary (
	granularity  TEXT NOT NULL, -- hourly, daily or weekly
	period_start INTEGER NOT NULL, -- ns since 1970, inclusive
	id           TEXT NOT NULL, -- UUID of the last one that was signed of the period
	PRIMARY KEY (granularity, period_start)
) STRICT, WITHOUT ROWID;

-- Where not even the audit log tells what was signed: of a period that ended until then and has no summary, none is signed.
CREATE TABLE forgotten_summaries (
	only  INTEGER PRIMARY KEY CHECK (only = 1), -- there is one row at most
	until INTEGER NOT NULL -- ns since 1970
) STRICT;
