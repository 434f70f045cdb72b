package node

import (
	"context"

	"github.com/caro-mesh/caro-node/node/identity"
)

// Backup collects everything that makes this node itself.
func (k *Keys) Backup(ctx context.Context) (identity.Backup, error) {
	s, err := k.Open(ctx)
	if err != nil {
		return identity.Backup{}, err
	}
	b := identity.Backup{Current: s.Identity, NextDigest: s.NextDigest, Rotations: s.Rotations}
	if s.NextHere {
		b.Next, err = k.Ring.Next()
	}
	return b, err
}

// Restore makes b this node's keys. Without force it refuses with [identity.ErrKeyThere] when there are any; with it, what
// was there is kept beside, and its names are returned.
func (k *Keys) Restore(ctx context.Context, b identity.Backup, force bool) (kept []string, err error) {
	if !force { // before anything is changed
		if err := k.Ring.Vacant(); err != nil {
			return nil, err
		}
	}
	// The database first: cut short after it, restoring again mends everything.
	if err := k.Store.ReplaceOwnRotations(ctx, b.Rotations); err != nil {
		return nil, err
	}
	if err := k.Store.ForgetCommitment(ctx, b.Current.NodeID()); err != nil {
		return nil, err
	}
	if _, err := k.Store.SaveCommitment(ctx, b.Current.NodeID(), b.NextDigest); err != nil {
		return nil, err
	}
	if kept, err = k.Ring.Restore(b); err != nil {
		return kept, err
	}
	_, err = k.Open(ctx)
	return kept, err
}
