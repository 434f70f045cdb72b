package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// LogState tells how a write-ahead log was found.
type LogState struct {
	Frames  int // that could be verified and belong to a finished transaction
	Damaged int // that could not be verified, though later ones of the same log are there
	// Missing counts the frames that SQLite's index of the log, the file that ends with -shm, remembers and that are neither
	// in the log nor, as far as the index tells, in the database: the log was cut. The index may not have outlived the machine.
	Missing int
	// Torn tells that the last frame of all ends a transaction and could not be verified: the process or the machine stopped
	// while it was written, or it was damaged later. Nothing tells the two apart.
	Torn bool
}

const (
	logHeader   = 32
	frameHeader = 24
	logMagic    = 0x377f0682 // its lowest bit tells the byte order of checksums
)

// log is what a write-ahead log holds, up to the end of its last finished transaction.
type log struct {
	file  *os.File
	salt  [8]byte          // of its frames; zero where there are none
	at    map[uint32]int64 // where the latest content of a page is
	stale []uint32         // pages whose latest content is in a damaged frame
	state LogState
}

// frame is the head of one.
type frame struct {
	page, commit uint32 // commit: pages of the database after the transaction that this frame ends; 0 for others
	salt         [8]byte
	sum          [2]uint32
}

// ReadLog verifies the write-ahead log of the database at path. No file, or an empty one, is a sound log without frames.
func ReadLog(path string, pageSize int) (LogState, error) {
	l, err := openLog(path+"-wal", pageSize)
	if err != nil {
		return LogState{}, err
	}
	var state LogState
	var salt [8]byte
	if l != nil {
		state, salt = l.state, l.salt
		if err := l.file.Close(); err != nil {
			return state, err
		}
	}
	state.Missing, err = missing(path+"-shm", state, salt)
	return state, err
}

// missing compares the log with SQLite's index of it. https://www.sqlite.org/walformat.html#the_wal_index_file_format.
func missing(path string, state LogState, salt [8]byte) (int, error) {
	var head [100]byte
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	_, err = f.ReadAt(head[:], 0)
	if errors.Is(err, io.EOF) {
		return 0, f.Close()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	there, moved := int(binary.NativeEndian.Uint32(head[16:])), int(binary.NativeEndian.Uint32(head[96:]))
	if [48]byte(head[:48]) != [48]byte(head[48:96]) || head[12] == 0 || there > 1<<24 { // it holds itself twice
		return 0, nil
	}
	if salt != [8]byte{} && salt != [8]byte(head[32:40]) {
		return 0, nil // of another log
	}
	return max(0, there-max(state.Frames+state.Damaged, moved)), nil
}

// openLog returns nil where there is no log.
func openLog(path string, pageSize int) (*log, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing is a log, too
	}
	if err != nil {
		return nil, fmt.Errorf("read the write-ahead log: %w", err)
	}
	l := &log{file: f, at: make(map[uint32]int64)}
	if err := l.read(pageSize); err != nil {
		return nil, errors.Join(fmt.Errorf("read the write-ahead log %s: %w", path, err), f.Close())
	}
	return l, nil
}

func (l *log) read(pageSize int) error {
	var head [logHeader]byte
	if _, err := l.file.ReadAt(head[:], 0); errors.Is(err, io.EOF) {
		return nil // too short for a single frame
	} else if err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	size := int64(frameHeader + pageSize)
	total := int((info.Size() - logHeader) / size)
	if total == 0 {
		return nil
	}
	buffer := make([]byte, size)
	first, err := l.frameAt(0, size, buffer)
	if err != nil {
		return err
	}
	sum := [2]uint32{binary.BigEndian.Uint32(head[24:]), binary.BigEndian.Uint32(head[28:])}
	var order binary.ByteOrder = binary.LittleEndian
	if binary.BigEndian.Uint32(head[:]) == logMagic|1 {
		order = binary.BigEndian
	}
	salt := [8]byte(head[16:24])
	if checksum(order, [2]uint32{}, head[:24]) != sum {
		salt = first.salt // the head is damaged; what it tells is in the frames, too
	}
	l.salt = salt
	return l.readFrames(total, size, buffer, salt, sum, order)
}

func (l *log) frameAt(i int, size int64, buffer []byte) (f frame, err error) {
	if _, err := l.file.ReadAt(buffer, logHeader+int64(i)*size); err != nil {
		return f, err
	}
	f.page, f.commit = binary.BigEndian.Uint32(buffer), binary.BigEndian.Uint32(buffer[4:])
	f.salt = [8]byte(buffer[8:16])
	f.sum = [2]uint32{binary.BigEndian.Uint32(buffer[16:]), binary.BigEndian.Uint32(buffer[20:])}
	return f, nil
}

// readFrames goes through the frames of this log. Those of an earlier one, whose place was not needed again, follow behind
// and have another salt.
func (l *log) readFrames(total int, size int64, buffer []byte, salt [8]byte, sum [2]uint32, order binary.ByteOrder) error {
	type place struct {
		page uint32
		at   int64
	}
	var open []place   // frames of the transaction that is not finished yet
	var missed []frame // those since the last good one that could not be verified
	damaged := make(map[uint32]bool)
	believe := func(list []frame) {
		for _, f := range list {
			damaged[f.page] = true
			l.state.Damaged++
		}
	}
	for i := range total {
		f, err := l.frameAt(i, size, buffer)
		if err != nil {
			return err
		}
		good := checksum(order, checksum(order, sum, buffer[:8]), buffer[frameHeader:]) == f.sum
		sum = f.sum
		if !good || f.salt != salt || f.page == 0 {
			missed = append(missed, f)
			continue
		}
		believe(missed)
		missed = missed[:0]
		open = append(open, place{f.page, logHeader + int64(i)*size + frameHeader})
		if f.commit == 0 {
			continue
		}
		for _, p := range open {
			l.at[p.page] = p.at
			delete(damaged, p.page)
		}
		l.state.Frames += len(open)
		open = open[:0]
	}
	missed = slices.DeleteFunc(missed, func(f frame) bool { return f.salt != salt })
	switch ends := slices.ContainsFunc(missed, func(f frame) bool { return f.commit != 0 }); {
	case ends && len(missed) == 1:
		l.state.Torn = true
	case ends:
		believe(missed)
	}
	l.stale = slices.Collect(maps.Keys(damaged))
	return nil
}

// checksum continues sum over b, whose length is a multiple of eight.
func checksum(order binary.ByteOrder, sum [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		sum[0] += order.Uint32(b) + sum[1]
		sum[1] += order.Uint32(b[4:]) + sum[0]
	}
	return sum
}
