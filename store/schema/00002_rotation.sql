-- +goose Up
-- What nodes said, when they were first met as trusted ones, about the key that they will have next.
CREATE TABLE commitment (
	node_id TEXT PRIMARY KEY, -- of another node, or this node's own
	digest  BLOB NOT NULL, -- BLAKE3 of the public key that alone may follow, 32 bytes
	seen_at INTEGER NOT NULL -- ns since 1970
) STRICT, WITHOUT ROWID;

-- Rotations of other nodes that were believed.
CREATE TABLE succession (
	old_id     TEXT PRIMARY KEY, -- node ID; each key has one successor
	new_id     TEXT NOT NULL UNIQUE, -- node ID; each key succeeds one
	wire       BLOB NOT NULL, -- the statement, signed by both keys, which alone is believed
	learned_at INTEGER NOT NULL -- ns since 1970
) STRICT, WITHOUT ROWID;

-- This node's own rotations. A row is written before the key files are changed.
CREATE TABLE own_rotation (
	generation INTEGER PRIMARY KEY, -- 1, 2, 3, …
	wire       BLOB NOT NULL -- the statement, signed by both keys
) STRICT;
