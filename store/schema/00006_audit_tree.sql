-- +goose Up
-- The Merkle tree over the audit records: with each record its leaf, and the roots of the subtrees that it completes. It
-- outlives the records, so that what is left after retention can still be shown to belong to what was signed before.
CREATE TABLE audit_tree (
	sequence INTEGER PRIMARY KEY, -- audit.sequence
	hashes   BLOB NOT NULL -- 32 bytes each: the leaf first, then the subtrees' roots, the smallest first
) STRICT;

-- What this node has signed about its log.
CREATE TABLE audit_checkpoint (
	number  INTEGER PRIMARY KEY, -- 1, 2, 3, … without a gap
	size    INTEGER NOT NULL, -- how many records the log had, removed ones included
	pruned  INTEGER NOT NULL, -- up to which record retention has removed the log; 0: it is whole
	signer  TEXT NOT NULL, -- node ID of the key
	note    BLOB NOT NULL, -- the signed note, which alone is believed
	made_at INTEGER NOT NULL -- ns since 1970
) STRICT;

ALTER TABLE audit_head ADD COLUMN checkpoints INTEGER NOT NULL DEFAULT 0; -- how many were made

-- The latest that each witness has cosigned.
CREATE TABLE audit_cosignature (
	witness     TEXT PRIMARY KEY, -- node ID
	number      INTEGER NOT NULL, -- audit_checkpoint.number
	size        INTEGER NOT NULL, -- of that checkpoint
	value       BLOB NOT NULL, -- time and signature, 72 bytes
	received_at INTEGER NOT NULL -- ns since 1970
) STRICT, WITHOUT ROWID;

-- The latest checkpoint of each other node that this one has cosigned, and so will never contradict.
CREATE TABLE witnessed (
	log     TEXT PRIMARY KEY, -- node ID of the key that signed it
	size    INTEGER NOT NULL, -- entries that it covers
	note    BLOB NOT NULL, -- the signed note
	seen_at INTEGER NOT NULL -- ns since 1970
) STRICT, WITHOUT ROWID;

-- Checkpoints of other nodes that contradict what they had said before.
CREATE TABLE audit_conflict (
	id      INTEGER PRIMARY KEY, -- in order of arrival
	log     TEXT NOT NULL, -- node ID of the key that signed it
	size    INTEGER NOT NULL, -- entries that it covers
	note    BLOB NOT NULL, -- the signed note
	known   BLOB NOT NULL, -- the signed note that it contradicts
	proof   BLOB NOT NULL, -- what was given as proof of consistency, 32 bytes a hash
	reason  TEXT NOT NULL, -- one sentence
	seen_at INTEGER NOT NULL, -- ns since 1970
	UNIQUE (log, note)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_tree_in_order BEFORE INSERT ON audit_tree
WHEN NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM audit_tree), 0)
BEGIN
	SELECT RAISE(ABORT, 'the audit tree only ever grows at its end');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_tree_no_update BEFORE UPDATE ON audit_tree
BEGIN
	SELECT RAISE(ABORT, 'the audit tree is never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_tree_no_delete BEFORE DELETE ON audit_tree
BEGIN
	SELECT RAISE(ABORT, 'the audit tree is never cut');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_checkpoint_in_order BEFORE INSERT ON audit_checkpoint
WHEN NEW.number <> 1 + coalesce((SELECT max(number) FROM audit_checkpoint), 0)
	OR NEW.size <> (SELECT max(sequence) FROM audit)
	OR NEW.pruned >= NEW.size
	OR NEW.pruned < coalesce((SELECT pruned FROM audit_checkpoint ORDER BY number DESC LIMIT 1), 0)
BEGIN
	SELECT RAISE(ABORT, 'audit checkpoints are only ever added, about the log as it is');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_checkpoint_no_update BEFORE UPDATE ON audit_checkpoint
BEGIN
	SELECT RAISE(ABORT, 'audit checkpoints are never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_checkpoint_no_delete BEFORE DELETE ON audit_checkpoint
BEGIN
	SELECT RAISE(ABORT, 'audit checkpoints are never removed');
END;
-- +goose StatementEnd

-- Records go only after a signed checkpoint says so, and the last one never goes.
DROP TRIGGER audit_no_delete;
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN OLD.sequence > coalesce((SELECT pruned FROM audit_checkpoint ORDER BY number DESC LIMIT 1), 0)
BEGIN
	SELECT RAISE(ABORT, 'audit records are never removed, unless a checkpoint says that retention does');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_cosignature_forward BEFORE UPDATE ON audit_cosignature
WHEN NEW.number < OLD.number OR NEW.witness <> OLD.witness
BEGIN
	SELECT RAISE(ABORT, 'a later cosignature is never replaced by an earlier one');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER witnessed_forward BEFORE UPDATE ON witnessed
WHEN NEW.size < OLD.size OR NEW.log <> OLD.log
BEGIN
	SELECT RAISE(ABORT, 'what was witnessed is never taken back');
END;
-- +goose StatementEnd
