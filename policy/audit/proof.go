package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/caro-mesh/caro-node/protocol"
)

// Proof shows that a record is part of the log of which a checkpoint was signed.
type Proof struct {
	Record     Record
	Hashes     []tlog.Hash // from the leaf to the root
	Checkpoint []byte      // the note, with the lines of witnesses
}

// MaxProofFile is how large a proof in its written form may be, in bytes.
const MaxProofFile = 1 << 20

const proofHeader = "c2sp.org/tlog-proof@v1"

// ErrProof reports a proof that proves nothing.
var ErrProof = errors.New("the proof does not hold")

// Marshal writes the proof in the format of C2SP tlog-proof. Its extra data are the bytes that the record's hash covers.
func (p Proof) Marshal() ([]byte, error) {
	content, err := protocol.Encode(&p.Record)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(content), p.Record.Sequence-1)
	for _, h := range p.Hashes {
		fmt.Fprintf(&b, "%s\n", base64.StdEncoding.EncodeToString(h[:]))
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes(), nil
}

// UnmarshalProof reads a proof in its written form. Nothing is checked yet.
func UnmarshalProof(file []byte) (p Proof, err error) {
	if len(file) > MaxProofFile {
		return p, fmt.Errorf("%w: a file of more than %d bytes", ErrProof, MaxProofFile)
	}
	head, checkpoint, ok := strings.Cut(string(file), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 3 || lines[0] != proofHeader {
		return p, fmt.Errorf("%w: not a file of %s", ErrProof, proofHeader)
	}
	extra, ok := strings.CutPrefix(lines[1], "extra ")
	content, err := base64.StdEncoding.Strict().DecodeString(extra)
	if !ok || err != nil {
		return p, fmt.Errorf("%w: its second line is not the record", ErrProof)
	}
	if err := protocol.Decode(content, &p.Record); err != nil {
		return p, fmt.Errorf("%w: its record cannot be read: %w", ErrProof, err)
	}
	number, ok := strings.CutPrefix(lines[2], "index ")
	index, err := strconv.ParseUint(number, 10, 62)
	if !ok || err != nil || index+1 != p.Record.Sequence {
		return p, fmt.Errorf("%w: its third line is not the place of record %d", ErrProof, p.Record.Sequence)
	}
	if len(lines)-3 > protocol.MaxProof {
		return p, fmt.Errorf("%w: it has %d hashes, more than the largest tree needs", ErrProof, len(lines)-3)
	}
	for _, line := range lines[3:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return p, fmt.Errorf("%w: %.64q is not a hash", ErrProof, line)
		}
		p.Hashes = append(p.Hashes, tlog.Hash(h))
	}
	p.Checkpoint = []byte(checkpoint)
	p.Record.Hash, err = p.Record.ComputeHash()
	return p, err
}

// Check verifies, with nothing but the proof, that the node key has signed a log that contains the record, and returns the
// checkpoint. Errors wrap [ErrProof].
func (p Proof) Check(key protocol.NodeID) (protocol.Checkpoint, error) {
	c, err := protocol.OpenCheckpoint(p.Checkpoint, key)
	if err != nil {
		return protocol.Checkpoint{}, fmt.Errorf("%w: its checkpoint: %w", ErrProof, err)
	}
	if p.Record.Sequence == 0 || p.Record.Sequence > c.Size {
		return protocol.Checkpoint{}, fmt.Errorf("%w: record %d is not among the %d of its checkpoint", ErrProof, p.Record.Sequence, c.Size)
	}
	h, err := p.Record.ComputeHash()
	if err != nil {
		return protocol.Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := tlog.CheckRecord(p.Hashes, int64(c.Size), tlog.Hash(c.Root), int64(p.Record.Sequence-1), Leaf(h)); err != nil {
		return protocol.Checkpoint{}, fmt.Errorf("%w: record %d, as it stands here, is not part of the signed log", ErrProof, p.Record.Sequence)
	}
	return c, nil
}
