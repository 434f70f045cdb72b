package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is what a node says, under its signature, about its audit log at one moment. It is written as a note in the
// format of C2SP tlog-checkpoint, so that tools for transparency logs can read it:
//
//	caro-node/<fingerprint of the node's key>
//	<size, decimal>
//	<root, standard base64>
//	pruned <number> <hash, standard base64>      only where entries were removed by retention
//
//	— caro-node/<fingerprint> <standard base64 of key hash and signature>
//
// The signature is that of golang.org/x/mod/sumdb/note, type 1. Its text begins with "caro-node/", which no context
// string of this package does.
type Checkpoint struct {
	// Size is how many entries the log has had, those that retention removed included; at most MaxCount.
	Size uint64
	// Root is the root of the Merkle tree (RFC 6962, SHA-256) whose leaves are the hashes of the entries.
	Root [32]byte
	// Pruned is up to which entry the log was removed; 0: it is whole. Below Size.
	Pruned uint64
	// PrunedHash is the hash of that entry; zero when the log is whole.
	PrunedHash [32]byte
}

// CosignatureSize is the length of a cosignature: seconds since 1970 in 8 bytes, big-endian, and an Ed25519 signature.
const CosignatureSize = 8 + 64

// Key types of notes, which separate the uses of one key.
const (
	noteEd25519     = 1
	noteCosignature = 4
)

const (
	originPrefix = "caro-node/"
	prunedWord   = "pruned "
)

// Origin returns how the node is called in checkpoints.
func (id NodeID) Origin() string { return originPrefix + string(id.Fingerprint()) }

// Validate checks the numbers.
func (c Checkpoint) Validate() error {
	switch {
	case c.Size == 0 || c.Size > MaxCount:
		return fmt.Errorf("a checkpoint of %d entries, expected 1 to %d", c.Size, uint64(MaxCount))
	case c.Pruned >= c.Size:
		return fmt.Errorf("a checkpoint of %d entries of which %d are removed", c.Size, c.Pruned)
	case c.Pruned == 0 && c.PrunedHash != [32]byte{}:
		return errors.New("a checkpoint with the hash of a removed entry, but without its number")
	}
	return nil
}

func (c Checkpoint) text(origin string) string {
	b64 := base64.StdEncoding.EncodeToString
	s := fmt.Sprintf("%s\n%d\n%s\n", origin, c.Size, b64(c.Root[:]))
	if c.Pruned > 0 {
		s += fmt.Sprintf("%s%d %s\n", prunedWord, c.Pruned, b64(c.PrunedHash[:]))
	}
	return s
}

// parseCheckpoint reads the text of a note. Lines that it does not know are ignored, as C2SP tlog-checkpoint demands.
func parseCheckpoint(text, origin string) (c Checkpoint, err error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != origin {
		return c, fmt.Errorf("%w: not a checkpoint of %s", ErrMalformed, origin)
	}
	if c.Size, err = decimal(lines[1]); err != nil {
		return c, err
	}
	if c.Root, err = base64Hash(lines[2]); err != nil {
		return c, err
	}
	for _, line := range lines[3:] {
		rest, ok := strings.CutPrefix(line, prunedWord)
		if !ok {
			if line == "" {
				return c, fmt.Errorf("%w: an empty line in a checkpoint", ErrMalformed)
			}
			continue
		}
		number, hash, _ := strings.Cut(rest, " ")
		if c.Pruned != 0 {
			return c, fmt.Errorf("%w: two lines of a checkpoint say what was removed", ErrMalformed)
		}
		if c.Pruned, err = decimal(number); err != nil {
			return c, err
		}
		if c.PrunedHash, err = base64Hash(hash); err != nil {
			return c, err
		}
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return c, nil
}

func decimal(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != s || n == 0 {
		return 0, fmt.Errorf("%w: %q is not a number of entries", ErrMalformed, s)
	}
	return n, nil
}

func base64Hash(s string) (h [32]byte, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%w: %q is not a hash", ErrMalformed, s)
	}
	return [32]byte(b), nil
}

// SignCheckpoint writes c as a note that key has signed.
func SignCheckpoint(c Checkpoint, key Signer) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	wire, err := note.Sign(&note.Note{Text: c.text(key.NodeID().Origin())}, noteSigner{key})
	if err != nil {
		return nil, fmt.Errorf("sign a checkpoint: %w", err)
	}
	return wire, nil
}

// OpenCheckpoint reads a note of at most [MaxCheckpointNote] bytes and verifies that the node log has signed it. Errors are
// [ErrMalformed] and [ErrSignature]; [ErrSigner] when it is a checkpoint of another node.
func OpenCheckpoint(wire []byte, log NodeID) (Checkpoint, error) {
	text, err := checkpointText(wire)
	if err != nil {
		return Checkpoint{}, err
	}
	if origin, _, _ := strings.Cut(text, "\n"); origin != log.Origin() {
		return Checkpoint{}, fmt.Errorf("%w: %w: a checkpoint of %.64q, claimed for %s", ErrSignature, ErrSigner, origin, log.Origin())
	}
	if _, err := note.Open(wire, note.VerifierList(noteVerifier{log})); err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return parseCheckpoint(text, log.Origin())
}

// CheckpointOrigin returns the name on a checkpoint, which nothing has verified, or "" when it is none.
func CheckpointOrigin(wire []byte) string {
	text, err := checkpointText(wire)
	if err != nil {
		return ""
	}
	origin, _, _ := strings.Cut(text, "\n")
	return origin
}

// checkpointText returns what the signatures of a note cover.
func checkpointText(wire []byte) (string, error) {
	if len(wire) > MaxCheckpointNote {
		return "", fmt.Errorf("%w: a checkpoint of %d bytes, limit %d", ErrMalformed, len(wire), MaxCheckpointNote)
	}
	i := bytes.LastIndex(wire, []byte("\n\n"))
	if i < 0 {
		return "", fmt.Errorf("%w: not a signed note", ErrMalformed)
	}
	for line := range strings.Lines(string(wire[i+2:])) { // package note lets the same signature be written in several ways
		b64 := line[strings.LastIndexByte(line, ' ')+1:]
		if _, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(b64, "\n")); err != nil {
			return "", fmt.Errorf("%w: a signature line of a note: %w", ErrMalformed, err)
		}
	}
	return string(wire[:i+1]), nil
}

// Cosign says, under key, that the checkpoint is consistent with every other one of the same log that key has cosigned. It
// does not check that. The cosignature is that of C2SP tlog-cosignature, v1; its time is cut to the second.
func Cosign(checkpoint []byte, key Signer, now time.Time) ([]byte, error) {
	text, err := checkpointText(checkpoint)
	if err != nil {
		return nil, err
	}
	seconds := max(0, now.Unix())
	sig, err := key.Sign(cosigned(text, seconds))
	if err != nil {
		return nil, fmt.Errorf("cosign: %w", err)
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(seconds)), sig...), nil
}

// OpenCosignature verifies that witness made the cosignature of the checkpoint, and returns when.
func OpenCosignature(checkpoint []byte, witness NodeID, cosignature []byte) (time.Time, error) {
	text, err := checkpointText(checkpoint)
	if err != nil {
		return time.Time{}, err
	}
	if len(cosignature) != CosignatureSize {
		return time.Time{}, fmt.Errorf("%w: a cosignature of %d bytes, not %d", ErrMalformed, len(cosignature), CosignatureSize)
	}
	seconds := binary.BigEndian.Uint64(cosignature)
	if seconds > 1<<40 { // the year 36812
		return time.Time{}, fmt.Errorf("%w: a cosignature of another age", ErrMalformed)
	}
	if !verify(witness, cosigned(text, int64(seconds)), cosignature[8:]) {
		return time.Time{}, fmt.Errorf("%w: not a cosignature of %s", ErrSignature, witness.Fingerprint())
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}

func cosigned(text string, seconds int64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text)
}

// CosignatureLine writes a cosignature as a line that can be added to the note of the checkpoint.
func CosignatureLine(witness NodeID, cosignature []byte) string {
	id := binary.BigEndian.AppendUint32(nil, noteKeyHash(witness, noteCosignature))
	return "\u2014 " + witness.Origin() + " " + base64.StdEncoding.EncodeToString(append(id, cosignature...)) + "\n"
}

// FindCosignature returns the cosignature of witness among the lines of a note. It is not verified yet.
func FindCosignature(checkpoint []byte, witness NodeID) (cosignature []byte, ok bool) {
	want := binary.BigEndian.AppendUint32(nil, noteKeyHash(witness, noteCosignature))
	for line := range strings.Lines(string(checkpoint)) {
		text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\u2014 "+witness.Origin()+" ")
		if !ok {
			continue
		}
		if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) == len(want)+CosignatureSize && bytes.HasPrefix(b, want) {
			return b[len(want):], true
		}
	}
	return nil, false
}

// noteKeyHash is the key ID of a note's signature line.
func noteKeyHash(id NodeID, kind byte) uint32 {
	h := sha256.New()
	h.Write([]byte(id.Origin() + "\n"))
	h.Write([]byte{kind})
	h.Write(id.PublicKey())
	return binary.BigEndian.Uint32(h.Sum(nil))
}

type noteSigner struct{ key Signer }

func (s noteSigner) Name() string                     { return s.key.NodeID().Origin() }
func (s noteSigner) KeyHash() uint32                  { return noteKeyHash(s.key.NodeID(), noteEd25519) }
func (s noteSigner) Sign(text []byte) ([]byte, error) { return s.key.Sign(text) }

type noteVerifier struct{ id NodeID }

func (v noteVerifier) Name() string                 { return v.id.Origin() }
func (v noteVerifier) KeyHash() uint32              { return noteKeyHash(v.id, noteEd25519) }
func (v noteVerifier) Verify(text, sig []byte) bool { return verify(v.id, text, sig) }
