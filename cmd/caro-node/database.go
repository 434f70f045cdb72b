package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/store"
)

func (c *cli) databaseCommand() *cobra.Command {
	return group("db", "Check, back up, restore and repair the database",
		c.databaseCheckCommand(), c.databaseRepairCommand(), c.databaseBackupCommand(), c.databaseRestoreCommand())
}

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

// existingDatabase returns the place of the database, which has to be there.
func (c *cli) existingDatabase() (config.Paths, error) {
	p, err := c.paths()
	if err != nil {
		return p, err
	}
	if _, err := os.Stat(p.DB); errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("there is no database yet (%s); it begins with \"caro-node run\"", p.DB)
	} else if err != nil {
		return p, err
	}
	return p, nil
}

// alone runs work while no node can start.
func alone(ctx context.Context, p config.Paths, work func() error) (err error) {
	release, err := api.Reserve(ctx, p.Socket)
	if err != nil {
		return err
	}
	return errors.Join(work(), release())
}

// examineDatabase keeps a node from starting meanwhile; beside a running one it leaves out the log, which changes.
func examineDatabase(ctx context.Context, p config.Paths) (reason string, notices []string, err error) {
	err = alone(ctx, p, func() (err error) {
		reason, notices, err = store.Examine(ctx, p.DB, false)
		return err
	})
	if errors.Is(err, api.ErrAlreadyRunning) {
		return store.Examine(ctx, p.DB, true)
	}
	return reason, notices, err
}

// databaseCheckDocument is the answer of `db check --json`.
type databaseCheckDocument struct {
	SchemaVersion int      `json:"schema_version"`
	Path          string   `json:"path"`
	OK            bool     `json:"ok"`
	Problems      []string `json:"problems"`
}

func (c *cli) databaseCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Read the whole database and say what is wrong with it",
		Long: `Read the whole database: its pages and indexes, the write-ahead log, whether counts and search fit the commands, what is
signed, and the audit chain. It changes nothing, and works while the node runs. Exit code 1 tells that something is wrong.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.existingDatabase()
			if err != nil {
				return err
			}
			doc := databaseCheckDocument{SchemaVersion: v1.SchemaVersion, Path: p.DB, Problems: []string{}}
			reason, notices, err := examineDatabase(cmd.Context(), p)
			if err != nil {
				return err
			}
			if reason != "" {
				doc.Problems = append(doc.Problems, reason)
			}
			doc.Problems = append(doc.Problems, notices...)
			doc.OK = len(doc.Problems) == 0
			switch {
			case c.json:
				err = writeJSON(c.Out, doc)
			case doc.OK:
				err = c.print("ok: %s", p.DB)
			default:
				for _, problem := range doc.Problems {
					if err == nil {
						err = c.print("NOT OK: %s", oneLine(problem))
					}
				}
			}
			if reason != "" {
				c.say("Stop the node and start it again, or run \"caro-node db repair\": both keep the file aside and save what can be read.")
			}
			if err == nil && !doc.OK {
				err = &exitError{exitFailed, nil}
			}
			return err
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// databaseRepairDocument is the answer of `db repair --json` and `db restore --json`.
type databaseRepairDocument struct {
	SchemaVersion int        `json:"schema_version"`
	Path          string     `json:"path"`
	Repair        *v1.Repair `json:"repair"`
}

func (c *cli) printRepair(p config.Paths, r *store.Repair) error {
	if c.json {
		doc := databaseRepairDocument{SchemaVersion: v1.SchemaVersion, Path: p.DB}
		if r != nil {
			doc.Repair = daemon.RepairShape(r)
		}
		return writeJSON(c.Out, doc)
	}
	if r == nil {
		return c.print("ok: there is nothing to repair in %s", p.DB)
	}
	return c.print("%s", oneLine(r.Sentence()))
}

func (c *cli) databaseRepairCommand() *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Save what can be read of a damaged database into a new one",
		Long: `Check the whole database and, where it is damaged, put a new one with everything that can be read in its place. The
damaged one is kept beside it. The node must not run; its start does the same by itself. --force does it also where no damage
is found.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := c.existingDatabase()
			if err != nil {
				return err
			}
			var r *store.Repair
			if err := alone(cmd.Context(), p, func() error {
				reason, _, err := store.Examine(cmd.Context(), p.DB, false)
				if err != nil || reason == "" && !force {
					return err
				}
				if reason == "" {
					reason = "its user says so"
				}
				r, err = store.Rebuild(cmd.Context(), p.DB, reason, time.Now)
				return err
			}); err != nil {
				return err
			}
			return c.printRepair(p, r)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "put it together anew even where no damage is found")
	c.jsonFlag(cmd)
	return cmd
}

// databaseBackupDocument is the answer of `db backup --json`.
type databaseBackupDocument struct {
	SchemaVersion int    `json:"schema_version"`
	File          string `json:"file"`
	SizeBytes     int64  `json:"size_bytes"`
}

func (c *cli) databaseBackupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database into a file, also while the node runs",
		Long: `Copy the database, as it is at one moment, into FILE, which only you can read; the node may go on writing. An existing
file is not overwritten. The copy holds your commands: keep it as you keep the database. Keys are not in it (caro-node key
backup).`,
		Args: exactArgs(1, "a file to write"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			p, err := c.existingDatabase()
			if err != nil {
				return err
			}
			db, err := store.OpenReadOnly(cmd.Context(), p.DB, store.Options{})
			if err != nil {
				return err
			}
			err = db.Backup(cmd.Context(), args[0])
			if err := errors.Join(err, db.Close()); errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s exists already, and a backup does not overwrite anything; choose another name", args[0])
			} else if err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, databaseBackupDocument{v1.SchemaVersion, args[0], info.Size()})
			}
			c.say("Wrote the database into %s (%s).", args[0], bytesText(info.Size()))
			return nil
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) databaseRestoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the database, which is kept beside it",
		Long: `Put a copy of a backup in the place of the database. The node must not run. The database that was there is kept beside,
and what this node has signed or announced since the backup is taken over from it, so that peers do not see two different
pasts: sequence numbers, own summaries, own key rotations and the next key; and so are denials of trust. Commands, received
summaries and the audit log are those of the backup.`,
		Args: exactArgs(1, "a backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := c.paths()
			if err != nil {
				return err
			}
			if err := p.Create(); err != nil {
				return err
			}
			var r *store.Repair
			if err := alone(cmd.Context(), p, func() (err error) {
				r, err = store.Restore(cmd.Context(), p.DB, args[0], time.Now)
				return err
			}); err != nil {
				return err
			}
			return c.printRepair(p, r)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}
