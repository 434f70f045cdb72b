package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/cmd/caro-node/daemon"
	"github.com/caro-mesh/caro-node/node"
	"github.com/caro-mesh/caro-node/node/identity"
	"github.com/caro-mesh/caro-node/protocol"
)

func (c *cli) keyCommand() *cobra.Command {
	return group("key", "Change, back up and restore this node's key",
		c.keyShowCommand(), c.keyRotateCommand(), c.keyBackupCommand(), c.keyRestoreCommand())
}

// keyDocument is the answer of `key show --json`.
type keyDocument struct {
	SchemaVersion int    `json:"schema_version"`
	NodeID        string `json:"node_id"`
	Fingerprint   string `json:"fingerprint"`
	v1.Keys
}

func (c *cli) keyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the current key, the next one, and how the current one came about",
		Long: `Show the current key, the digest of the key that this node has committed to, and the rotations that led here.
Private keys are never shown.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			doc, err := c.readKeys(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			return c.printKeys(doc)
		},
	}
	c.jsonFlag(cmd)
	return cmd
}

// readKeys asks the running node, and else opens the files.
func (c *cli) readKeys(ctx context.Context) (keyDocument, error) {
	p, err := c.paths()
	if err != nil {
		return keyDocument{}, err
	}
	id, err := client.New(p.Socket).Identity(ctx)
	if err == nil && id.Keys == nil {
		return keyDocument{}, errors.New("the node is changing its key; ask again in a second")
	}
	if err == nil {
		return keyDocument{v1.SchemaVersion, string(id.NodeID), string(id.Fingerprint), *id.Keys}, nil
	}
	if !errors.Is(err, client.ErrNotRunning) {
		return keyDocument{}, err
	}
	var doc keyDocument
	err = c.withKeys(ctx, p, true, func(k *node.Keys) error {
		s, err := k.Open(ctx)
		if err != nil {
			return err
		}
		doc = keyDocument{v1.SchemaVersion, string(s.Identity.NodeID()), string(s.Identity.Fingerprint()), *daemon.KeysShape(s)}
		return nil
	})
	return doc, err
}

// withKeys opens the keys of a node that does not run, and keeps it from starting meanwhile.
func (c *cli) withKeys(ctx context.Context, p config.Paths, existing bool, use func(*node.Keys) error) (err error) {
	if existing {
		if _, err := identity.Load(p.Key); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("this node has no identity yet (%s); make one with \"caro-node init\"", p.Key)
		} else if err != nil {
			return err
		}
	}
	if err := p.Create(); err != nil {
		return err
	}
	release, err := api.Reserve(ctx, p.Socket)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	db, err := c.openDatabase(ctx, p.DB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return use(&node.Keys{Ring: identity.NewRing(p.Key, time.Now), Store: db, Now: time.Now})
}

func (c *cli) printKeys(doc keyDocument) error {
	next := doc.NextDigest
	if !doc.NextHere {
		next += " (the key itself is kept elsewhere)"
	}
	for _, l := range [][2]string{{"node id", doc.NodeID}, {"fingerprint", doc.Fingerprint}, {"rotated", counted(int(doc.Generation), "time", "times")}, {"next key", next}} {
		if err := c.print("%-12s %s", l[0], l[1]); err != nil {
			return err
		}
	}
	if len(doc.Rotations) == 0 {
		return nil
	}
	if err := c.print(""); err != nil {
		return err
	}
	t := newTable(c.Out, "#", "WHEN", "FROM", "TO", "REASON", "OLD KEY REFUSED FROM")
	for _, r := range doc.Rotations {
		t.row(fmt.Sprint(r.Generation), moment(r.IssuedAt), string(r.OldFingerprint), string(r.Fingerprint), r.Reason, moment(r.OldExpires))
	}
	return t.flush()
}

func moment(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

type rotateOptions struct {
	grace       time.Duration
	compromised bool
	next        string
}

func (c *cli) keyRotateCommand() *cobra.Command {
	o := rotateOptions{grace: node.DefaultGrace}
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make the next key the current one; peers carry their trust over",
		Long: `Make the next key the current one. The old key endorses the new one, and peers that trust this node by its ID trust the
new key from then on; who is away learns it at the next meeting. The old key counts until its grace period is over. A new
next key is made, to which this node commits. With the node running, it goes on under the new key at once.

If somebody else may have the key, use --compromised: then the old key is refused as soon as a peer learns of it.`,
		Example: `  caro-node key rotate
  caro-node key rotate --compromised --next /media/usb/identity.next.key`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.grace < 0 || o.grace > protocol.MaxGrace:
				return usageErrorf("--grace: %s is not from 0s to %s", o.grace, protocol.MaxGrace)
			case o.compromised && cmd.Flags().Changed("grace"):
				return usageErrorf("--compromised has no grace period; leave --grace out")
			}
			return c.runRotate(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.grace, "grace", o.grace, "how long the old key counts beside the new one (0s to 720h)")
	f.BoolVar(&o.compromised, "compromised", false, "somebody else may have the current key: refuse it at once")
	f.StringVar(&o.next, "next", "", "the file of the next key, where it was kept elsewhere")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runRotate(ctx context.Context, o rotateOptions) error {
	p, err := c.paths()
	if err != nil {
		return err
	}
	var next *identity.Identity
	if o.next != "" {
		if next, err = identity.LoadCopy(o.next); err != nil {
			return err
		}
	}
	r, err := c.rotateRunning(ctx, p, o, next)
	if errors.Is(err, client.ErrNotRunning) {
		err = c.withKeys(ctx, p, true, func(k *node.Keys) error {
			stated, err := k.Rotate(ctx, node.RotateOptions{Grace: o.grace, Compromised: o.compromised, Next: next})
			if err == nil {
				r = daemon.RotationShape(stated)
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	if c.json {
		r.SchemaVersion = v1.SchemaVersion
		return writeJSON(c.Out, r)
	}
	c.say("The key was rotated from %s to %s.", r.OldFingerprint, r.Fingerprint)
	if o.compromised {
		c.say("Peers refuse the old key as soon as they learn of this.")
	} else {
		c.say("Peers accept the old key until %s.", moment(r.OldExpires))
	}
	c.say("Make a new backup (caro-node key backup FILE): an older one holds the old key.")
	return c.print("%s", r.NodeID)
}

// rotateRunning lets the running node change its key. A next key that was kept elsewhere is put in its place before, when
// it is the one that the node has committed to.
func (c *cli) rotateRunning(ctx context.Context, p config.Paths, o rotateOptions, next *identity.Identity) (v1.KeyRotation, error) {
	cl := client.New(p.Socket)
	id, err := cl.Identity(ctx)
	if err != nil {
		return v1.KeyRotation{}, err
	}
	if next != nil {
		if id.Keys == nil || protocol.DigestOf(next.NodeID()).String() != id.Keys.NextDigest {
			return v1.KeyRotation{}, fmt.Errorf("the key in %s is not the one that this node has committed to (caro-node key show tells its digest)", o.next)
		}
		if err := identity.NewRing(p.Key, time.Now).PutNext(next); err != nil {
			return v1.KeyRotation{}, err
		}
	}
	seconds := int64(o.grace / time.Second)
	return cl.RotateKey(ctx, v1.RotateKeyRequest{GraceSeconds: &seconds, Compromised: o.compromised})
}
