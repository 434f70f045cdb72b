package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestFramesAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 1, 5).Draw(t, "frames")
		var stream bytes.Buffer
		for _, f := range frames {
			if err := WriteFrame(&stream, f); err != nil {
				t.Fatal(err)
			}
		}
		r := io.Reader(&stream)
		if rapid.Bool().Draw(t, "one byte at a time") {
			r = iotest.OneByteReader(r)
		}
		for _, f := range frames {
			got, err := ReadFrame(r, len(f))
			if err != nil || !bytes.Equal(got, f) {
				t.Fatalf("got %x, %v, expected %x", got, err, f)
			}
		}
		if _, err := ReadFrame(r, 1); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("at the end: %v", err)
		}
	})
}

func TestFrameIsAVarintAndTheData(t *testing.T) {
	for size, prefix := range map[int]string{0: "\x00", 1: "\x01", 127: "\x7f", 128: "\x80\x01", 300: "\xac\x02", 16384: "\x80\x80\x01"} {
		var stream bytes.Buffer
		data := bytes.Repeat([]byte{0xee}, size)
		if err := WriteFrame(&stream, data); err != nil {
			t.Fatal(err)
		}
		if want := prefix + string(data); stream.String() != want {
			t.Errorf("a frame of %d bytes starts with %x, expected %x", size, stream.Bytes()[:min(4, stream.Len())], prefix)
		}
	}
}

// writes counts calls: two writes would be two packets, and could be torn apart by a concurrent writer.
type writes struct{ calls int }

func (w *writes) Write(p []byte) (int, error) { w.calls++; return len(p), nil }

func TestFrameIsWrittenInOneCall(t *testing.T) {
	var w writes
	if err := WriteFrame(&w, make([]byte, 100_000)); err != nil || w.calls != 1 {
		t.Errorf("%d calls, %v", w.calls, err)
	}
}

func TestFrameThatIsCutShortIsNotTakenForTheEnd(t *testing.T) {
	var stream bytes.Buffer
	if err := WriteFrame(&stream, make([]byte, 300)); err != nil {
		t.Fatal(err)
	}
	for cut := 1; cut < stream.Len(); cut++ {
		_, err := ReadFrame(bytes.NewReader(stream.Bytes()[:cut]), 300)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
	}
}

func TestFrameKeepsTheCauseOfABrokenStream(t *testing.T) {
	cause := errors.New("connection reset")
	for what, start := range map[string]string{"before": "", "within the length": "\x80", "within the data": "\x05ab"} {
		r := io.MultiReader(strings.NewReader(start), iotest.ErrReader(cause))
		if _, err := ReadFrame(r, 100); !errors.Is(err, cause) {
			t.Errorf("%s: %v", what, err)
		}
	}
	pr, pw := io.Pipe()
	if err := pr.CloseWithError(cause); err != nil {
		t.Fatal(err)
	}
	if err := WriteFrame(pw, []byte("x")); !errors.Is(err, cause) {
		t.Errorf("write: %v", err)
	}
}

func TestOnlyMinimalLengthsAreAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "prefix")
		stream := bytes.NewReader(append(prefix, make([]byte, 1<<10)...))
		got, err := ReadFrame(stream, 1<<10)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteFrame(&again, got); err != nil {
			t.Fatal(err)
		}
		if n := int(stream.Size()) - stream.Len(); n != again.Len() || !bytes.HasPrefix(append(prefix, make([]byte, 1<<10)...), again.Bytes()) {
			t.Fatalf("%x was read as a frame of %d bytes, which is written as %x", prefix, len(got), again.Bytes()[:min(8, again.Len())])
		}
	})
}

func TestAnnouncedLengthIsNotAllocatedBeforeItArrives(t *testing.T) {
	const limit = 1 << 30
	announced := binary.AppendUvarint(nil, limit)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadFrame(bytes.NewReader(append(announced, make([]byte, 1000)...)), limit)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("1,000 bytes arrived and %d were allocated", grown)
	}
}
