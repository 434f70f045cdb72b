-- +goose Up
-- What was put in the place of this database's file: what could be saved of a damaged one, or a backup.
CREATE TABLE repair (
	at     INTEGER PRIMARY KEY, -- ns since 1970
	kept   TEXT NOT NULL, -- path of the file that was there before
	report TEXT NOT NULL -- JSON of the counts, see store.Repair
) STRICT;

-- Audit records of a damaged file that can be read and are intact, but do not follow the last record that was saved:
-- records before them are lost. They are kept as evidence and are no part of the log.
CREATE TABLE audit_orphan (
	sequence   INTEGER NOT NULL, -- as it was in the log
	id         TEXT PRIMARY KEY, -- UUIDv7
	timestamp  INTEGER NOT NULL, -- ns since 1970
	event_type TEXT NOT NULL, -- as in audit
	peer       TEXT NOT NULL, -- node ID; empty when no peer is concerned
	details    TEXT NOT NULL, -- JSON object of strings
	success    INTEGER NOT NULL, -- 1 or 0
	prev_hash  BLOB NOT NULL, -- hash of the record before, 32 bytes
	hash       BLOB NOT NULL, -- BLAKE3 over every other field of the record, 32 bytes
	apart_at   INTEGER NOT NULL -- repair.at of the repair that set it apart
) STRICT;
