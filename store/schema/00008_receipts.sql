-- +goose Up
-- What left with each answer to a query. Who asked, when, and by which rule it was allowed stand in the audit record of the
-- answer, where nobody can change them unnoticed, together with the digest of the response.
CREATE TABLE receipt (
	sequence         INTEGER PRIMARY KEY REFERENCES audit (sequence) ON DELETE CASCADE, -- audit.sequence of the response_sent record; a receipt is kept as long as that
	query_id         TEXT NOT NULL, -- UUID that the asker chose
	query            BLOB NOT NULL, -- as the asker signed it
	response         BLOB NOT NULL, -- exactly the bytes that left, signed by this node
	countersignature BLOB, -- the asker's signed receipt for these bytes; NULL: none has come
	countersigned_at INTEGER -- ns since 1970; NULL: never
) STRICT;

CREATE INDEX receipt_query ON receipt (query_id, sequence);

-- +goose StatementBegin
CREATE TRIGGER receipt_countersigned_once BEFORE UPDATE ON receipt
WHEN OLD.countersignature IS NOT NULL OR NEW.countersignature IS NULL OR NEW.countersigned_at IS NULL
	OR NEW.sequence IS NOT OLD.sequence OR NEW.query_id IS NOT OLD.query_id OR NEW.query IS NOT OLD.query OR NEW.response IS NOT OLD.response
BEGIN
	SELECT RAISE(ABORT, 'receipts are never changed, only countersigned once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = OLD.sequence)
BEGIN
	SELECT RAISE(ABORT, 'receipts are only removed with their audit records');
END;
-- +goose StatementEnd
