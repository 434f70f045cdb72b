package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/protocol"
)

// Judgement is what a witness makes of a checkpoint of another node.
type Judgement uint8

// Judgements.
const (
	// Consistent means that the log has only grown since the checkpoint that the witness knows, so that it may be cosigned,
	// once it is stored in the other's place.
	Consistent Judgement = iota
	// Stale means that the proof begins elsewhere than at the known checkpoint; the node has to try again from there.
	Stale
	// Conflicting means that both checkpoints cannot be of one log that only grows.
	Conflicting
)

// Presented is a checkpoint that a node shows to a witness. Its signature was verified.
type Presented struct {
	Log        protocol.NodeID   // that signed it
	Former     []protocol.NodeID // keys that the node had before
	Note       []byte
	Checkpoint protocol.Checkpoint
	// Old is how many entries of the log the node thinks the witness knows; Proof shows that they are its beginning.
	Old   uint64
	Proof []tlog.Hash
}

// Judge applies the rule of C2SP tlog-witness. Known is the latest checkpoint of the log that the witness has cosigned; its
// size is 0 when there is none. The reason comes with [Conflicting] alone: one sentence for people.
func Judge(known protocol.Checkpoint, p Presented) (Judgement, string) {
	c := p.Checkpoint
	switch {
	case c.Size < known.Size:
		return Conflicting, fmt.Sprintf("its audit log has %d entries, but it had %d before: it was set back, or entries were cut off", c.Size, known.Size)
	case c.Size == known.Size && c.Root != known.Root:
		return Conflicting, fmt.Sprintf("it has signed two different audit logs of %d entries", c.Size)
	case c.Size == known.Size:
		return Consistent, ""
	case p.Old != known.Size:
		return Stale, ""
	case known.Size == 0:
		return Consistent, ""
	}
	if err := tlog.CheckTree(p.Proof, int64(c.Size), tlog.Hash(c.Root), int64(known.Size), tlog.Hash(known.Root)); err != nil {
		return Conflicting, fmt.Sprintf("it cannot show that its audit log of %d entries begins with the %d that it had before: history was written anew", c.Size, known.Size)
	}
	return Consistent, ""
}
