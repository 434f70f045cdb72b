package audit

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// Leaf returns the leaf of the Merkle tree for a record with this hash.
func Leaf(h Hash) tlog.Hash { return tlog.RecordHash(h[:]) }

// Frontier is the growing edge of a Merkle tree (RFC 6962): the roots of its complete subtrees, from which everything that
// comes later follows. The zero Frontier is the empty tree. Its size in memory is logarithmic.
type Frontier struct {
	size uint64
	edge []tlog.Hash // of the complete subtrees, the largest first
	made []tlog.Hash // of the last Add
}

// NewFrontier returns the edge of a tree of so many leaves; edge are the roots of its complete subtrees, the largest
// first, one for each bit that is set in size.
func NewFrontier(size uint64, edge []tlog.Hash) *Frontier { return &Frontier{size: size, edge: edge} }

// Size returns the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Add appends a leaf and returns the hashes that are to be stored with it: the leaf itself, then the root of each subtree
// that it completes, the smallest first. The slice is valid until the next Add.
func (f *Frontier) Add(leaf tlog.Hash) []tlog.Hash {
	h := leaf
	f.made = append(f.made[:0], h)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.edge) - 1
		h = tlog.NodeHash(f.edge[last], h)
		f.edge = f.edge[:last]
		f.made = append(f.made, h)
	}
	f.edge = append(f.edge, h)
	f.size++
	return f.made
}

// Root returns the root of the tree.
func (f *Frontier) Root() tlog.Hash {
	if f.size == 0 {
		return sha256.Sum256(nil)
	}
	h := f.edge[len(f.edge)-1]
	for i := len(f.edge) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.edge[i], h)
	}
	return h
}

// Place says where the store keeps a hash of the tree: with which record (counted from 1), and as which of the hashes that
// [Frontier.Add] returned for it. The index is that of package tlog.
func Place(index int64) (sequence uint64, nth int) {
	level, n := tlog.SplitStoredHashIndex(index)
	return uint64(n+1) << level, level
}

// EdgeIndexes returns the indexes, as package tlog counts them, of the hashes that make the edge of a tree of this size.
func EdgeIndexes(size uint64) []int64 {
	var out []int64
	done := uint64(0)
	for level := 62; level >= 0; level-- {
		if size&(1<<level) != 0 {
			out = append(out, tlog.StoredHashIndex(level, int64(done>>level)))
			done += 1 << level
		}
	}
	return out
}
