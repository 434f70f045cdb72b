package main

import (
	"context"

	"github.com/caro-mesh/caro-node/store"
)

// openDatabase opens the database for a command that keeps other processes from it, and tells what was found.
func (c *cli) openDatabase(ctx context.Context, path string) (*store.Store, error) {
	db, err := store.Open(ctx, path, store.Options{Repair: true})
	if err != nil {
		return nil, err
	}
	for _, n := range db.Notices() {
		c.say("%s", n)
	}
	if r := db.Repaired(); r != nil {
		c.say("%s", r.Sentence())
	}
	return db, nil
}
