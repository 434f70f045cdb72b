package store

import (
	"database/sql"
	"errors"
)

// dictionary stands in for one of the tables that give texts a small number. It remembers the latest ones.
type dictionary struct {
	queries *dictionaryQueries
	ids     map[string]int64
}

type dictionaryQueries struct{ find, add string }

var (
	categoryQueries = dictionaryQueries{
		find: `SELECT id FROM category WHERE name = ?`,
		add:  `INSERT INTO category (name) VALUES (?) RETURNING id`,
	}
	folderQueries = dictionaryQueries{
		find: `SELECT id FROM folder WHERE path = ?`,
		add:  `INSERT INTO folder (path) VALUES (?) RETURNING id`,
	}
	sessionQueries = dictionaryQueries{
		find: `SELECT id FROM session WHERE name = ?`,
		add:  `INSERT INTO session (name) VALUES (?) RETURNING id`,
	}
)

// maxRemembered bounds the memory of one dictionary; a text that was forgotten costs one look-up.
const maxRemembered = 1024

// id returns the number of text, which is added to the table when it is new.
func (d *dictionary) id(t *tx, text string) (int64, error) {
	if id, ok := d.ids[text]; ok {
		return id, nil
	}
	var id int64
	err := t.get(d.queries.find, []any{text}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		err = t.get(d.queries.add, []any{text}, &id)
	}
	if err != nil {
		return 0, err
	}
	if d.ids == nil || len(d.ids) >= maxRemembered {
		d.ids = make(map[string]int64)
	}
	d.ids[text] = id
	return id, nil
}
