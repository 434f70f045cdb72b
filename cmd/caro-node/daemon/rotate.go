package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caro-mesh/caro-node/api"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/node"
	"github.com/caro-mesh/caro-node/protocol"
)

// mesh returns the mesh node that runs, which is another one after the key was rotated. One that has ended still tells
// what it knows.
func (d *Daemon) mesh() *node.Node { return d.running.Load() }

// use keeps the mesh node from being replaced until done is called. While that happens, it refuses with a sentence.
func (d *Daemon) use() (done func(), err error) {
	if !d.live.TryRLock() {
		return nil, api.Refuse(api.ErrUnavailable, "the node is changing its key; ask again in a second")
	}
	return d.live.RUnlock, nil
}

// runMesh runs the mesh node, and the one with the new key after each rotation, until ctx ends.
func (d *Daemon) runMesh(ctx context.Context) error {
	for {
		inner, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- d.mesh().Run(inner) }()
		select {
		case err := <-ended:
			stop()
			return err
		case result := <-d.replace:
			stop()
			err := <-ended
			if err == nil {
				err = d.reopenNode(ctx)
			}
			result <- err
			if err != nil {
				return fmt.Errorf("go on under the new key: %w", err)
			}
		}
	}
}

func (d *Daemon) reopenNode(ctx context.Context) (err error) {
	if d.standing, err = d.keys.Open(ctx); err != nil {
		return err
	}
	return d.openNode(ctx)
}

// rotateKey makes the next key the current one while everything else goes on: the peers that are connected hear of it
// first, then the mesh node is started again under the new key. Whoever asks something of the mesh meanwhile is told so.
func (d *Daemon) rotateKey(ctx context.Context, o node.RotateOptions) (*protocol.KeyRotation, error) {
	if !d.ready.Load() {
		return nil, api.Refuse(api.ErrUnavailable, "the node is starting or stopping; ask again in a second")
	}
	d.live.Lock() // waits for queries that are under way
	defer d.live.Unlock()
	ctx = context.WithoutCancel(ctx) // what is stated is finished
	o.Announce = d.mesh().AnnounceRotation
	r, err := d.keys.Rotate(ctx, o)
	if errors.Is(err, node.ErrNextKey) {
		return nil, api.Refuse(api.ErrConflict, "%w", err)
	}
	if err != nil {
		return nil, err
	}
	result := make(chan error, 1)
	select {
	case d.replace <- result:
		err = <-result
	case <-d.stopped:
		err = errors.New("the node stopped meanwhile")
	}
	if err != nil {
		return nil, fmt.Errorf("the key is rotated, and the node did not come up with it; start caro-node again: %w", err)
	}
	d.c.Logger.Info("the key was rotated", "from", r.OldID.Fingerprint(), "to", r.NewID.Fingerprint(), "generation", r.Generation, "old_expires", r.OldExpires)
	return r, nil
}

// RotateKey makes the next key the current one.
func (b *backend) RotateKey(ctx context.Context, q v1.RotateKeyRequest) (v1.KeyRotation, error) {
	o := node.RotateOptions{Grace: node.DefaultGrace, Compromised: q.Compromised}
	if q.GraceSeconds != nil {
		o.Grace = time.Duration(*q.GraceSeconds) * time.Second
	}
	r, err := b.d.rotateKey(ctx, o)
	if err != nil {
		return v1.KeyRotation{}, err
	}
	return RotationShape(r), nil
}

// RotationShape is a rotation as the API and the command line show it.
func RotationShape(r *protocol.KeyRotation) v1.KeyRotation {
	return v1.KeyRotation{OldID: r.OldID, OldFingerprint: r.OldID.Fingerprint(), NodeID: r.NewID, Fingerprint: r.NewID.Fingerprint(), Generation: r.Generation,
		IssuedAt: r.IssuedAt.Time(), OldExpires: r.OldExpires.Time(), Reason: string(r.Reason)}
}

// KeysShape is where a node stands in the course of its keys, as the API and the command line show it.
func KeysShape(s node.Standing) *v1.Keys {
	k := &v1.Keys{NextDigest: s.NextDigest.String(), NextHere: s.NextHere, Rotations: make([]v1.KeyRotation, len(s.Rotations))}
	for i, r := range s.Rotations {
		k.Rotations[i] = RotationShape(r)
		k.Generation = r.Generation
	}
	return k
}

// shownKeys returns where this node stands, or nothing while its key changes.
func (d *Daemon) shownKeys() *v1.Keys {
	done, err := d.use()
	if err != nil {
		return nil
	}
	defer done()
	return KeysShape(d.standing)
}
