-- +goose Up
-- Which own summaries a peer has acknowledged, and which it may have because they were sent: the answer can be lost.
CREATE TABLE push_now (
	summary_id TEXT NOT NULL REFERENCES summary (id) ON DELETE CASCADE, -- an own summary
	peer       TEXT NOT NULL, -- node ID
	pushed_at  INTEGER, -- ns since 1970 when the peer acknowledged it; NULL: it was sent
	PRIMARY KEY (summary_id, peer)
) STRICT, WITHOUT ROWID;

INSERT INTO push_now (summary_id, peer, pushed_at) SELECT summary_id, peer, pushed_at FROM push;

DROP TABLE push;
ALTER TABLE push_now RENAME TO push;
