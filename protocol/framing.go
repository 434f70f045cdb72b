package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFrame reports a length prefix that is not a minimal unsigned varint; the stream must be reset.
var ErrFrame = errors.New("malformed length prefix")

// WriteFrame writes data with its length as an unsigned varint in front, in one call to w.
func WriteFrame(w io.Writer, data []byte) error {
	buf := make([]byte, 0, binary.MaxVarintLen32+len(data))
	buf = binary.AppendUvarint(buf, uint64(len(data)))
	buf = append(buf, data...)
	if _, err := w.Write(buf); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// ReadFrame reads one frame of at most limit bytes. It returns [io.EOF] when the stream ended before a frame began,
// [io.ErrUnexpectedEOF] when it ended within one, [ErrFrame] for a length that is not a minimal varint of at most five
// bytes, [ErrTooLarge] before reading a body that is too long, and it never allocates more than 16 KiB plus twice what has
// arrived.
func ReadFrame(r io.Reader, limit int) ([]byte, error) {
	size, err := readLength(r)
	if err != nil {
		return nil, err
	}
	if size > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes announced, limit %d", ErrTooLarge, size, limit)
	}
	// A claimed length is not yet a sent one: grow with what really comes.
	const step = 16 << 10
	buf := make([]byte, 0, min(int(size), step))
	for len(buf) < int(size) {
		n := min(int(size)-len(buf), max(step, len(buf)))
		start := len(buf)
		buf = append(buf, make([]byte, n)...)
		if _, err := io.ReadFull(r, buf[start:]); err != nil {
			return nil, fmt.Errorf("read frame: %w", noEOF(err))
		}
	}
	return buf, nil
}

func readLength(r io.Reader) (uint64, error) {
	var one [1]byte
	var v uint64
	for i := range binary.MaxVarintLen32 {
		if _, err := io.ReadFull(r, one[:]); err != nil {
			if i == 0 && errors.Is(err, io.EOF) {
				return 0, io.EOF
			}
			return 0, fmt.Errorf("read frame length: %w", noEOF(err))
		}
		v |= uint64(one[0]&0x7f) << (7 * i)
		if one[0] < 0x80 {
			if i > 0 && one[0] == 0 {
				return 0, ErrFrame
			}
			return v, nil
		}
	}
	return 0, ErrFrame
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
