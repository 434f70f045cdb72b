package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/protocol"
)

// Entry is what is kept of one record: itself, unless retention removed it, and its hashes of the tree.
type Entry struct {
	Record  Record
	Removed bool        // only Record.Sequence counts then
	Tree    []tlog.Hash // what [Frontier.Add] returned for it
}

// StoredCheckpoint is a checkpoint of this node's own log.
type StoredCheckpoint struct {
	Number uint64          // 1, 2, 3, …
	Signer protocol.NodeID // whose key signed it
	Note   []byte          // which alone is believed
	MadeAt time.Time
	Size   uint64 // what the database says that it covers, and goes by
	Pruned uint64 // what the database says that retention removed, and lets go
}

// Cosignature is what a witness said about one of the checkpoints.
type Cosignature struct {
	Witness protocol.NodeID
	Number  uint64 // of the checkpoint
	Value   []byte
	Size    uint64 // what the database says that the checkpoint covers
}

// Kept is all that a node keeps of its log.
type Kept struct {
	Entries      iter.Seq2[Entry, error]
	Checkpoints  []StoredCheckpoint // by number
	Cosignatures []Cosignature
	// Made is how many checkpoints there have to be.
	Made uint64
	// Rotations are those of the node's own key, oldest first.
	Rotations []*protocol.KeyRotation
}

// Remembered is what was kept of a log elsewhere, and what a verification has to believe in.
type Remembered struct {
	// Key is the node's current key; "" where it is not known, so that the database's own word counts.
	Key   protocol.NodeID
	Heads []Head
	// Notes are signed checkpoints.
	Notes [][]byte
}

// Vouched is up to where a witness vouches for a log.
type Vouched struct {
	Witness protocol.NodeID
	Entries uint64 // covered by what it cosigned last
	At      time.Time
}

// VerifyKept checks every record and link, the Merkle tree over them, each checkpoint with its signature, and each
// cosignature, and stops at the first fault. For its errors see [Verify].
func VerifyKept(ctx context.Context, k Kept, m Remembered) (Verification, []Vouched, error) {
	v := keptChecker{checker: checker{remembered: m.Heads, found: make([]bool, len(m.Heads))}, kept: k, keys: ownKeys(k.Rotations, m.Key)}
	v.open(m)
	for e, err := range k.Entries {
		if ctxErr := ctx.Err(); ctxErr != nil {
			out, err := v.interrupted(ctxErr)
			return out, nil, err
		}
		if err != nil && !errors.Is(err, ErrUnreadable) {
			out, err := v.interrupted(err)
			return out, nil, err
		}
		if err == nil {
			err = v.addEntry(e)
		}
		var f *fault
		switch {
		case errors.As(err, &f):
			return v.bad(f.at, f.reason), nil, nil
		case err != nil:
			return v.bad(v.last.Sequence+1, explain(v.last, e.Record, err)), nil, nil
		}
	}
	if err := ctx.Err(); err != nil {
		out, err := v.interrupted(err)
		return out, nil, err
	}
	out, vouched := v.finish()
	return out, vouched, nil
}

// fault is one whose place and reason are known.
type fault struct {
	at     uint64
	reason string
}

func (f *fault) Error() string { return f.reason }

// point is a checkpoint that was opened.
type point struct {
	protocol.Checkpoint
	name   string
	signer protocol.NodeID
	number uint64 // 0: remembered elsewhere
}

// anotherIdentity stands for a key that the node had before it became somebody else, as the log itself tells.
const anotherIdentity = -1

type keptChecker struct {
	checker
	kept     Kept
	frontier Frontier
	points   []point                 // by size
	matched  int                     // of points
	pruned   uint64                  // up to where a checkpoint says that entries were removed
	fault    *fault                  // of a checkpoint, to be told unless the entries show one
	keys     map[protocol.NodeID]int // the node's keys, and how many rotations ago each was the current one
}

// ownKeys are the keys that the node has had, as far as rotations tell. Without a key to begin from, the last rotation
// tells it.
func ownKeys(rotations []*protocol.KeyRotation, key protocol.NodeID) map[protocol.NodeID]int {
	keys := make(map[protocol.NodeID]int)
	if n := len(rotations); key == "" && n > 0 {
		key = rotations[n-1].NewID
	}
	for id := key; id != ""; {
		if _, known := keys[id]; known {
			break
		}
		keys[id] = len(keys)
		i := slices.IndexFunc(rotations, func(r *protocol.KeyRotation) bool { return r.NewID == id })
		if i < 0 {
			break
		}
		id = rotations[i].OldID
	}
	return keys
}

// open opens the checkpoints, and notes the first fault among them.
func (v *keptChecker) open(m Remembered) {
	var size uint64
	for i, s := range v.kept.Checkpoints {
		name := fmt.Sprintf("checkpoint %d", s.Number)
		c, err := protocol.OpenCheckpoint(s.Note, s.Signer)
		switch {
		case s.Number != uint64(i+1):
			v.note(size+1, "checkpoint %d is missing: %s stands in its place", i+1, name)
			return
		case err != nil:
			v.note(size+1, "%s was altered: %v", name, err)
			return
		case c.Size < size:
			v.note(size+1, "%s covers %d entries, fewer than the %d of the one before it: it was moved, or the log was set back", name, c.Size, size)
			return
		case s.Size != c.Size || s.Pruned != c.Pruned:
			v.note(c.Size, "%s was signed over %d entries, %d of them removed, but the database goes by %d and %d: its columns were altered",
				name, c.Size, c.Pruned, s.Size, s.Pruned)
		}
		size, v.pruned = c.Size, max(v.pruned, c.Pruned)
		v.points = append(v.points, point{c, name, s.Signer, s.Number})
	}
	if n := uint64(len(v.kept.Checkpoints)); n != v.kept.Made {
		v.note(size+1, "there are %d checkpoints, but %d were made: some were removed or added", n, v.kept.Made)
	}
	for i, note := range m.Notes {
		name := "the remembered checkpoint"
		if len(m.Notes) > 1 {
			name = fmt.Sprintf("remembered checkpoint %d", i+1)
		}
		if p, err := v.openRemembered(note); err != nil {
			v.note(1, "%s is not one of this node: %v", name, err)
		} else {
			p.name = name
			v.points = append(v.points, p)
		}
	}
	slices.SortStableFunc(v.points, func(a, b point) int { return cmp.Compare(a.Size, b.Size) })
}

// openRemembered finds out which of the node's keys has signed a checkpoint that was kept elsewhere.
func (v *keptChecker) openRemembered(note []byte) (point, error) {
	for id := range v.keys {
		if id.Origin() == protocol.CheckpointOrigin(note) {
			c, err := protocol.OpenCheckpoint(note, id)
			return point{Checkpoint: c, signer: id}, err
		}
	}
	return point{}, fmt.Errorf("it is of %.64q", protocol.CheckpointOrigin(note))
}

// note keeps the first fault of a checkpoint.
func (v *keptChecker) note(at uint64, format string, args ...any) {
	if v.fault == nil {
		v.fault = &fault{at, fmt.Sprintf(format, args...)}
	}
}

func (v *keptChecker) addEntry(e Entry) error {
	at := v.last.Sequence + 1
	var leaf tlog.Hash
	switch {
	case e.Record.Sequence != at && (e.Removed || at <= v.pruned):
		return &fault{at, fmt.Sprintf("the tree has nothing about entry %d, which retention removed: its hashes were removed or moved", at)}
	case e.Removed && at > v.pruned:
		return &fault{at, fmt.Sprintf("entry %d is missing, and no checkpoint says that retention removed it", at)}
	case !e.Removed && at <= v.pruned:
		return &fault{at, fmt.Sprintf("entry %d is here, though a checkpoint says that it was removed: it was put there later", at)}
	case e.Removed && len(e.Tree) == 0:
		return &fault{at, fmt.Sprintf("the tree has nothing about entry %d, which retention removed: its hashes were removed or moved", at)}
	case e.Removed:
		if leaf = e.Tree[0]; !v.remembers(at, leaf) {
			return errRewritten
		}
		v.last = Record{Sequence: at}
	default:
		if err := v.add(e.Record); err != nil {
			return err
		}
		leaf = Leaf(e.Record.Hash)
		if e.Record.Type == protocol.AuditIdentityCreated || e.Record.Type == protocol.AuditKeyRotated && e.Record.Details["step"] == "stated" {
			if _, known := v.keys[e.Record.Peer]; !known {
				v.keys[e.Record.Peer] = anotherIdentity
			}
		}
	}
	made := v.frontier.Add(leaf)
	switch {
	case len(e.Tree) == 0:
		return &fault{at, fmt.Sprintf("the tree has nothing about entry %d: its hashes were removed, or the entry was added without them", at)}
	case made[0] != e.Tree[0]:
		return &fault{at, fmt.Sprintf("entry %d is not the one that was put into the tree: it was written anew, or its hash in the tree was altered", at)}
	case !slices.Equal(made, e.Tree):
		return &fault{at, fmt.Sprintf("the hashes of the tree that were stored with entry %d do not follow from the entries: they were altered", at)}
	}
	return v.compare(leaf)
}

// remembers reports whether a removed entry with this leaf is the remembered one, where one is remembered.
func (v *keptChecker) remembers(at uint64, leaf tlog.Hash) bool {
	for i, h := range v.remembered {
		switch {
		case h.Entries == at && h.Hash != (Hash{}) && Leaf(h.Hash) != leaf:
			return false
		case h.Entries == at, h.Entries == 0 && Leaf(h.Hash) == leaf:
			v.found[i] = true
		}
	}
	return true
}

// compare compares the tree, as it is after another entry, with the checkpoints of this size.
func (v *keptChecker) compare(leaf tlog.Hash) error {
	for v.matched < len(v.points) && v.points[v.matched].Size == v.frontier.Size() {
		if p := v.points[v.matched]; v.frontier.Root() != tlog.Hash(p.Root) {
			from := uint64(1)
			if v.matched > 0 {
				from = v.points[v.matched-1].Size + 1
			}
			return &fault{min(from, p.Size), fmt.Sprintf("entries %d to %d are not those over which %s was signed: at least one of them was changed, and what follows it was written anew", min(from, p.Size), p.Size, p.name)}
		}
		v.matched++
	}
	if v.frontier.Size() == v.pruned {
		for _, p := range v.points {
			if p.Pruned == v.pruned {
				if Leaf(p.PrunedHash) != leaf {
					return &fault{p.Pruned, fmt.Sprintf("entry %d, the last that retention removed, is not the one that %s tells", p.Pruned, p.name)}
				}
				v.last = Record{Sequence: p.Pruned, Hash: p.PrunedHash}
			}
		}
	}
	return nil
}

// finish judges what only shows at the end.
func (v *keptChecker) finish() (Verification, []Vouched) {
	out := v.end()
	out.Pruned, out.Checkpoints = v.pruned, uint64(v.matched)
	if v.matched > 0 {
		out.Signed = v.points[v.matched-1].Size
	}
	if !out.OK {
		return out, nil
	}
	if v.matched < len(v.points) {
		p := v.points[v.matched]
		return v.bad(v.last.Sequence+1, fmt.Sprintf("%s was signed over %d entries, but the log ends after %d: entries were cut off at its end", p.name, p.Size, v.last.Sequence)), nil
	}
	v.checkSigners()
	vouched := v.vouched()
	if v.fault != nil {
		return v.bad(v.fault.at, v.fault.reason), nil
	}
	return out, vouched
}

// checkSigners looks whether each checkpoint was signed with a key that the node had then.
func (v *keptChecker) checkSigners() {
	if len(v.keys) == 0 { // nobody says which they are
		return
	}
	newest := math.MaxInt
	for _, p := range v.points {
		age, known := v.keys[p.signer]
		switch {
		case !known && p.Size > v.pruned: // the record that names an older key may be removed
			v.note(p.Size, "%s was signed with the key %s, which is none of this node", p.name, p.signer.Fingerprint())
		case known && age != anotherIdentity && p.number > 0 && age > newest:
			v.note(p.Size, "%s was signed with the key %s, which another had replaced by then", p.name, p.signer.Fingerprint())
		case known && age != anotherIdentity && p.number > 0:
			newest = age
		}
	}
}

// vouched verifies the cosignatures.
func (v *keptChecker) vouched() []Vouched {
	var out []Vouched
	for _, c := range v.kept.Cosignatures {
		i := slices.IndexFunc(v.points, func(p point) bool { return p.number == c.Number })
		if i < 0 {
			v.note(v.last.Sequence+1, "%s has cosigned checkpoint %d, which is not here: it was removed", c.Witness.Fingerprint(), c.Number)
			continue
		}
		at, err := protocol.OpenCosignature(v.kept.Checkpoints[c.Number-1].Note, c.Witness, c.Value)
		if err != nil {
			v.note(v.points[i].Size, "the cosignature of %s under %s was altered: %v", c.Witness.Fingerprint(), v.points[i].name, err)
			continue
		}
		if c.Size != v.points[i].Size {
			v.note(v.points[i].Size, "%s has cosigned %d entries with %s, but the database goes by %d: its column was altered",
				c.Witness.Fingerprint(), v.points[i].Size, v.points[i].name, c.Size)
			continue
		}
		out = append(out, Vouched{Witness: c.Witness, Entries: v.points[i].Size, At: at})
	}
	slices.SortFunc(out, func(a, b Vouched) int { return cmp.Compare(b.Entries, a.Entries) })
	return out
}
