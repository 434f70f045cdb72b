package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/store"
)

// minPassphrase keeps the worst choices out; length is what counts.
const minPassphrase = 8

func (c *cli) keyBackupCommand() *cobra.Command {
	var passphraseFile string
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the keys into a file that only a passphrase opens",
		Long: `Write the current key, the next key and the rotations so far into FILE, encrypted with a passphrase (age). An existing
file is not overwritten. Whoever has the file and the passphrase is this node: keep them apart. A next key that is kept
elsewhere is not in the backup.`,
		Args: exactArgs(1, "a file to write"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runBackup(cmd.Context(), args[0], passphraseFile)
		},
	}
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "read the passphrase from the first line of this file")
	return cmd
}

func (c *cli) runBackup(ctx context.Context, path, passphraseFile string) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already, and a backup does not overwrite anything; choose another name", path)
	}
	b, err := c.collectBackup(ctx)
	if err != nil {
		return err
	}
	passphrase, err := c.passphrase(passphraseFile, true)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	if err := errors.Join(b.Seal(f, passphrase, time.Now()), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the backup: %w", err), os.Remove(path))
	}
	c.say("Wrote the keys of %s into %s.", b.Current.Fingerprint(), path)
	if b.Next == nil {
		c.say("The next key is kept elsewhere, so it is not in the backup.")
	}
	return nil
}

// collectBackup reads the keys beside a running node, too: it looks at files and database, and changes nothing.
func (c *cli) collectBackup(ctx context.Context) (b identity.Backup, err error) {
	p, err := c.paths()
	if err != nil {
		return b, err
	}
	if b.Current, err = identity.Load(p.Key); errors.Is(err, fs.ErrNotExist) {
		return b, fmt.Errorf("this node has no identity yet (%s); make one with \"caro-node init\"", p.Key)
	} else if err != nil {
		return b, err
	}
	doc, err := c.readKeys(ctx) // finishes an interrupted rotation where the node does not run
	if err != nil {
		return b, err
	}
	db, err := store.OpenReadOnly(ctx, p.DB, store.Options{})
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	k := &node.Keys{Ring: identity.NewRing(p.Key, time.Now), Store: db, Now: time.Now}
	if b, err = k.Backup(ctx); err != nil {
		return b, err
	}
	if string(b.Current.NodeID()) != doc.NodeID {
		return b, errors.New("the key was being changed; repeat the command")
	}
	return b, nil
}

type restoreOptions struct {
	passphraseFile string
	force          bool
}

// restoreDocument is the answer of `key restore --json`.
type restoreDocument struct {
	SchemaVersion int      `json:"schema_version"`
	NodeID        string   `json:"node_id"`
	Fingerprint   string   `json:"fingerprint"`
	KeptBeside    []string `json:"kept_beside"`
}

func (c *cli) keyRestoreCommand() *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put the keys of a backup in their place",
		Long: `Put the keys of a backup in their place; the node must not run. Where this node has keys already, nothing is changed
unless --force is given, and then they are kept beside. Never run the same key on two machines.`,
		Args: exactArgs(1, "a backup"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.runRestore(cmd.Context(), args[0], o) },
	}
	cmd.Flags().StringVar(&o.passphraseFile, "passphrase-file", "", "read the passphrase from the first line of this file")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace the keys that are there, and keep them beside")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runRestore(ctx context.Context, path string, o restoreOptions) error {
	p, err := c.paths()
	if err != nil {
		return err
	}
	passphrase, err := c.passphrase(o.passphraseFile, false)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	b, err := identity.OpenBackup(f, passphrase)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	doc := restoreDocument{v1.SchemaVersion, string(b.Current.NodeID()), string(b.Current.Fingerprint()), []string{}}
	err = c.withKeys(ctx, p, false, func(k *node.Keys) error {
		kept, err := k.Restore(ctx, b, o.force)
		doc.KeptBeside = append(doc.KeptBeside, kept...)
		return err
	})
	for _, name := range doc.KeptBeside {
		c.say("Kept what was there as %s.", name)
	}
	if err != nil {
		return err
	}
	if c.json {
		return writeJSON(c.Out, doc)
	}
	c.say("Restored the keys of %s (%s).", doc.Fingerprint, p.Key)
	if b.Next == nil {
		c.say("The next key was kept elsewhere; give it to \"caro-node key rotate --next FILE\" when you need it.")
	}
	return c.print("%s", doc.NodeID)
}

// passphrase reads it from a file, or asks on a terminal: twice where a slip would lock the keys away.
func (c *cli) passphrase(file string, twice bool) (string, error) {
	if file != "" {
		b, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		return checkPassphrase(strings.TrimSuffix(line, "\r"), twice)
	}
	in, ok := terminalInput(c.In)
	if !ok {
		return "", usageErrorf("nobody can be asked for the passphrase here; give it with --passphrase-file FILE")
	}
	ask := func(prompt string) (string, error) {
		_, _ = fmt.Fprint(c.Err, prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		c.say("")
		if err != nil {
			return "", fmt.Errorf("read the passphrase: %w", err)
		}
		return string(b), nil
	}
	first, err := ask("Passphrase: ")
	if err != nil || !twice {
		return first, err
	}
	second, err := ask("Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passphrases differ; nothing was done")
	}
	return checkPassphrase(first, twice)
}

// checkPassphrase refuses one that protects nothing; when a backup is opened it may be anything.
func checkPassphrase(s string, isNew bool) (string, error) {
	if s == "" || isNew && len(s) < minPassphrase {
		return "", usageErrorf("the passphrase is too short; use at least %d characters, better a few words", minPassphrase)
	}
	return s, nil
}
