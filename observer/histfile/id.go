package histfile

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"

	"github.com/caro-mesh/caro-node/protocol"
)

// idContext keeps these hashes apart from all others.
const idContext = "caro-mesh imported event v1\x00"

// EntryID returns the ID of an imported event: always the same for the same arguments, so that importing a file again,
// or a longer version of it, adds nothing that is there already. occurrence counts entries of the file with the same
// start and command, from 0; see [Counter].
//
// command is the command as it will be stored, with secrets redacted: an ID made of the typed text would let anybody
// who holds the database try out passwords until the ID matches.
//
// The ID is a UUID of version 8 (RFC 9562): 48 bits of Unix milliseconds, so that it sorts by time as the IDs of
// observed events do (0 when the time is unknown), then 74 bits of the BLAKE3 hash of
// context ‖ shell ‖ 0 ‖ start in seconds (int64, big-endian; the smallest number when unknown) ‖ occurrence (uint64,
// big-endian) ‖ command.
func EntryID(shell protocol.ShellType, start time.Time, command string, occurrence int) string {
	seconds, ms := int64(-1<<63), uint64(0)
	if !start.IsZero() {
		seconds = start.Unix()
		ms = uint64(max(0, start.UnixMilli()))
	}
	sum := hash(string(shell), seconds, uint64(occurrence), command)
	var id uuid.UUID
	copy(id[:], sum[:])
	binary.BigEndian.PutUint16(id[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(id[2:], uint32(ms))
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id.String()
}

func hash(shell string, seconds int64, occurrence uint64, command string) [32]byte {
	b := make([]byte, 0, 256)
	b = append(b, idContext...)
	b = append(b, shell...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(seconds))
	b = binary.BigEndian.AppendUint64(b, occurrence)
	b = append(b, command...)
	return blake3.Sum256(b)
}

// Counter counts how often an entry has occurred in one file. It costs about 40 bytes for each different entry. The
// zero value is ready.
type Counter struct {
	seen map[[16]byte]int
}

// Next returns how many entries with the same start and command came before.
func (c *Counter) Next(start time.Time, command string) int {
	if c.seen == nil {
		c.seen = map[[16]byte]int{}
	}
	seconds := int64(-1 << 63)
	if !start.IsZero() {
		seconds = start.Unix()
	}
	sum := hash("", seconds, 0, command)
	key := [16]byte(sum[:16])
	n := c.seen[key]
	c.seen[key] = n + 1
	return n
}
