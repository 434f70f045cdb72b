-- +goose Up
-- How large the database was, one row a day, so that its growth can be told.
CREATE TABLE size_sample (
	day    INTEGER PRIMARY KEY, -- days since 1970, UTC
	bytes  INTEGER NOT NULL, -- of the file, without its unused pages, when the day was noted last
	events INTEGER NOT NULL -- stored events at that time
) STRICT;
