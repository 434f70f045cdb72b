-- Every table of the first released database. A released file is never edited again; a change is a new file.
--
-- Times are integers, in UTC, with the unit in the comment. Hours count from 1970-01-01T00:00Z.
-- TEXT that a person or a program typed holds the bytes as they were, which need not be valid UTF-8.

-- +goose Up
CREATE TABLE category (
	id   INTEGER PRIMARY KEY, -- stands for the name in event, rollup and segment
	name TEXT NOT NULL UNIQUE -- command category of the vocabulary; public, so never removed
) STRICT;

CREATE TABLE folder (
	id   INTEGER PRIMARY KEY, -- stands for the path in event and segment
	path TEXT NOT NULL UNIQUE -- working folder; removed with the last event that names it
) STRICT;

CREATE TABLE session (
	id   INTEGER PRIMARY KEY, -- stands for the name in event
	name TEXT NOT NULL UNIQUE -- shell session; removed with the last event that names it
) STRICT;

-- No foreign key leads from event to folder and session: without an index on the columns, which would cost every
-- insert, each removed folder would read the whole table. Deletion removes unused ones in one pass of its own.
CREATE TABLE event (
	key         INTEGER PRIMARY KEY, -- start in µs since 1970 × 1024 + number of arrival within that µs: the table is in order of time
	id          BLOB NOT NULL UNIQUE, -- the event's UUID, 16 bytes
	nanos       INTEGER NOT NULL, -- start minus the key's µs, in ns: 0 to 999, below 0 only where one µs has more than 1024 events
	shell       TEXT NOT NULL, -- bash, zsh, fish, sh or other
	folder      INTEGER NOT NULL, -- folder.id
	session     INTEGER, -- session.id; NULL: none
	exit_code   INTEGER, -- NULL: unknown
	duration_ms INTEGER, -- NULL: unknown
	category    INTEGER NOT NULL REFERENCES category (id),
	risk        INTEGER NOT NULL, -- 0 safe to 3 critical
	flags       INTEGER NOT NULL, -- sum of 1 caro_generated, 2 caro_executed, 4 user_confirmed, 8 blocked
	redactions  TEXT, -- kinds of secrets that were replaced, separated by commas; NULL: none
	pattern     TEXT NOT NULL, -- the command's shape without its values; may be empty
	command     TEXT NOT NULL -- as typed, after redaction
) STRICT;

-- Counts of the events of one hour, category, risk and command shape, changed in the transaction that changes the
-- events. One table serves the counts of any period and the number of distinct shapes in it, because each further table
-- would cost every stored event one more page.
CREATE TABLE rollup (
	hour           INTEGER NOT NULL, -- hours since 1970 in which the commands started
	category       INTEGER NOT NULL REFERENCES category (id),
	risk           INTEGER NOT NULL, -- 0 safe to 3 critical
	pattern        INTEGER NOT NULL, -- first 8 bytes of BLAKE3(event.pattern), big-endian; 0: no pattern
	commands       INTEGER NOT NULL, -- number of events, above 0
	timed          INTEGER NOT NULL, -- of these, with known duration
	duration_ms    INTEGER NOT NULL, -- sum over the timed ones
	failed         INTEGER NOT NULL, -- with a known exit code other than 0
	blocked        INTEGER NOT NULL, -- stopped by the guard
	confirmed      INTEGER NOT NULL, -- moderate or riskier, and confirmed by the user
	caro_generated INTEGER NOT NULL, -- written by a program
	caro_executed  INTEGER NOT NULL, -- written by a program and run
	PRIMARY KEY (hour, category, risk, pattern)
) STRICT, WITHOUT ROWID;

-- A thousand events packed for search; see package store. Every event is in one segment, or in late, or after the
-- greatest last.
CREATE TABLE segment (
	last       INTEGER PRIMARY KEY, -- greatest event.key in it
	first      INTEGER NOT NULL, -- least event.key in it; ranges overlap where events came late
	events     INTEGER NOT NULL, -- their number, above 0
	grams      BLOB NOT NULL, -- set of the sequences of two and three bytes in commands
	attributes BLOB NOT NULL, -- key, folder, category, risk, outcome and command length of each event
	commands   BLOB NOT NULL -- the commands in lower case, a zero byte after each
) STRICT;

-- Events that came after later ones had been packed, and are not packed themselves.
CREATE TABLE late (
	key INTEGER PRIMARY KEY REFERENCES event (key) -- event.key
) STRICT;

-- How far each spool file is stored, so that no record is taken twice.
CREATE TABLE spool (
	file   TEXT PRIMARY KEY, -- name of the claimed spool file, never used again
	offset INTEGER NOT NULL -- bytes of the file whose records are stored
) STRICT, WITHOUT ROWID;

CREATE TABLE summary (
	id           TEXT PRIMARY KEY, -- the summary's UUID
	node_id      TEXT NOT NULL, -- whose counts they are
	own          INTEGER NOT NULL, -- 1 made by this node, 0 received
	granularity  TEXT NOT NULL, -- hourly, daily or weekly
	period_start INTEGER NOT NULL, -- ns since 1970, inclusive
	period_end   INTEGER NOT NULL, -- ns since 1970, exclusive
	received_at  INTEGER, -- ns since 1970; NULL for own ones
	wire         BLOB NOT NULL, -- the signed bytes, which alone are believed
	UNIQUE (node_id, granularity, period_start)
) STRICT;

-- This node signs one content per period, whatever its key was at the time.
CREATE UNIQUE INDEX summary_own ON summary (granularity, period_start) WHERE own = 1;
CREATE INDEX summary_period ON summary (period_start, id);

-- Which own summaries a peer has acknowledged.
CREATE TABLE push (
	summary_id TEXT NOT NULL REFERENCES summary (id) ON DELETE CASCADE, -- an own summary
	peer       TEXT NOT NULL, -- node ID
	pushed_at  INTEGER NOT NULL, -- ns since 1970
	PRIMARY KEY (summary_id, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE peer (
	node_id          TEXT PRIMARY KEY,
	display_name     TEXT NOT NULL, -- may be empty
	addrs            TEXT NOT NULL, -- JSON array of multiaddrs, the preferred one first
	source           TEXT NOT NULL, -- config, manual, mdns or pending
	first_seen       INTEGER, -- ns since 1970; NULL: never
	last_seen        INTEGER, -- ns since 1970; NULL: never
	last_rtt         INTEGER NOT NULL, -- ns; 0: not measured
	caro_version     TEXT NOT NULL, -- may be empty
	protocol_version INTEGER NOT NULL -- 0: unknown
) STRICT, WITHOUT ROWID;

-- Trust that was given or denied at run time.
CREATE TABLE trust_grant (
	node_id    TEXT PRIMARY KEY,
	trust      INTEGER NOT NULL, -- 0 untrusted to 4 supervisor; without meaning when deny is 1
	deny       INTEGER NOT NULL, -- 1: refused, whatever other rules say
	name       TEXT NOT NULL, -- a word for people; may be empty
	granted_at INTEGER -- ns since 1970; NULL: unknown
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
	sequence   INTEGER PRIMARY KEY, -- 1, 2, 3, … without a gap
	id         TEXT NOT NULL, -- UUIDv7
	timestamp  INTEGER NOT NULL, -- ns since 1970
	event_type TEXT NOT NULL,
	peer       TEXT NOT NULL, -- node ID; empty when no peer is concerned
	details    TEXT NOT NULL, -- JSON object of strings
	success    INTEGER NOT NULL, -- 1 or 0
	prev_hash  BLOB NOT NULL, -- hash of the record before, 32 bytes; zeros for the first
	hash       BLOB NOT NULL -- BLAKE3 over every other field, 32 bytes
) STRICT;

CREATE INDEX audit_peer ON audit (peer, sequence) WHERE peer <> '';

-- What the last audit record is, kept apart so that a log cut off at its end does not look whole.
CREATE TABLE audit_head (
	only     INTEGER PRIMARY KEY CHECK (only = 1), -- there is one row
	sequence INTEGER NOT NULL, -- audit.sequence of the last record
	hash     BLOB NOT NULL -- its hash, 32 bytes
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM audit), 0)
BEGIN
	SELECT RAISE(ABORT, 'audit records are only ever added at the end');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
	SELECT RAISE(ABORT, 'audit records are never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
	SELECT RAISE(ABORT, 'audit records are never removed');
END;
-- +goose StatementEnd

-- Numbers for signed messages, reserved in blocks before they are used.
CREATE TABLE sequence (
	only INTEGER PRIMARY KEY CHECK (only = 1), -- there is one row
	next INTEGER NOT NULL -- the least number that was not handed out
) STRICT;

INSERT INTO sequence (only, next) VALUES (1, 1);

-- Changed when everything stored so far is to survive a power failure; see Store.Durable.
CREATE TABLE durable_point (
	only   INTEGER PRIMARY KEY CHECK (only = 1), -- there is one row
	points INTEGER NOT NULL -- how often
) STRICT;

INSERT INTO durable_point (only, points) VALUES (1, 0);
