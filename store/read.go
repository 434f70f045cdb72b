package store

import (
	"context"
	"database/sql"
	"errors"
)

// read runs fn in a transaction that sees one state of the database.
func (s *Store) read(ctx context.Context, fn func(*sql.Tx) error) error {
	r, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	if err = fn(r); err != nil && ctx.Err() != nil { // the transaction ended under a statement that does not watch ctx
		err = ctx.Err()
	}
	// Nothing was changed, so it does not matter how the transaction ends; database/sql has ended it itself when ctx did.
	if end := r.Rollback(); end != nil && !errors.Is(end, sql.ErrTxDone) {
		err = errors.Join(err, end)
	}
	return err
}

// each calls row for every row of the result.
func (s *Store) each(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	return eachRow(ctx, s.readers, query, args, row)
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func eachRow(ctx context.Context, q querier, query string, args []any, row func(*sql.Rows) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return drain(rows, row)
}
