package spool

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/protocol"
)

var anyRecord = rapid.Custom(func(t *rapid.T) Record {
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("\x00\x01\x02\x03C1 \n\\'\"$")), 0, 20, -1),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }), rapid.Just(version), rapid.Just(end))
	r := Record{
		CaroGenerated: rapid.Bool().Draw(t, "generated"), CaroExecuted: rapid.Bool().Draw(t, "executed"),
		UserConfirmed: rapid.Bool().Draw(t, "confirmed"), Blocked: rapid.Bool().Draw(t, "blocked"),
		Shell:   rapid.SampledFrom([]protocol.ShellType{protocol.ShellBash, protocol.ShellZsh, protocol.ShellOther}).Draw(t, "shell"),
		CWD:     text.Draw(t, "cwd"),
		Command: text.Filter(func(s string) bool { return s != "" }).Draw(t, "command"),
	}
	r.Kept = rapid.SampledFrom([]int{0, 0, 1, 17, MaxKept}).Draw(t, "kept")
	switch rapid.IntRange(0, 3).Draw(t, "aliases") {
	case 1:
		r.Expanded = text.Draw(t, "expanded")
	case 2:
		r.Aliases = text.Draw(t, "definitions")
	}
	if rapid.Bool().Draw(t, "timed") {
		r.Start = time.UnixMicro(rapid.Int64Range(event.MinTime.UnixMicro(), event.MaxTime.UnixMicro()).Draw(t, "start"))
		d := time.Duration(rapid.Int64Range(0, 1<<52).Draw(t, "duration")) * time.Microsecond
		r.Duration = &d
	}
	if rapid.Bool().Draw(t, "ended") {
		e := rapid.IntRange(-1, 300).Draw(t, "exit")
		r.Exit = &e
	}
	return r
})

func same(a, b Record) bool {
	p := func(x, y any) bool { return x == y }
	switch {
	case (a.Duration == nil) != (b.Duration == nil), a.Duration != nil && !p(*a.Duration, *b.Duration),
		(a.Exit == nil) != (b.Exit == nil), a.Exit != nil && !p(*a.Exit, *b.Exit), !a.Start.Equal(b.Start):
		return false
	}
	a.Duration, a.Exit, a.Start = b.Duration, b.Exit, b.Start
	return a == b
}

func TestWhatIsEncodedIsDecodedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(anyRecord, 1, 8).Draw(t, "records")
		var file []byte
		for _, r := range records {
			file = append(file, Encode(r)...)
		}
		d := NewDecoder(iotest.HalfReader(bytes.NewReader(file)), 0)
		for i, want := range records {
			// No system has such folders; they may change, but break nothing.
			if want.CWD = strings.ReplaceAll(want.CWD, "\x00", "\uFFFD"); want.CWD == version {
				want.CWD = "./" + want.CWD
			}
			got, err := d.Next()
			if err != nil || !same(got, want) {
				t.Fatalf("record %d: %+v (%v), want %+v", i, got, err, want)
			}
		}
		if _, err := d.Next(); !errors.Is(err, io.EOF) || d.Offset() != int64(len(file)) {
			t.Fatalf("after the last record: %v at %d of %d", err, d.Offset(), len(file))
		}
	})
}

// A record that is cut anywhere is never taken for a whole one, whatever follows, and costs none of its neighbours.
func TestACutRecordIsTornAndItsNeighboursAreWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, cut, after := anyRecord.Draw(t, "before"), anyRecord.Draw(t, "cut"), anyRecord.Draw(t, "after")
		a, b, c := Encode(before), Encode(cut), Encode(after)
		n := rapid.IntRange(1, len(b)-2).Draw(t, "length")
		file := slices.Concat(a, b[:n], c)
		d := NewDecoder(bytes.NewReader(file), 0)
		var got []Record
		var torn []byte
		for {
			r, err := d.Next()
			var tornErr *TornError
			if errors.As(err, &tornErr) {
				torn = append(torn, tornErr.Bytes...)
				continue
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			got = append(got, r)
		}
		if len(got) != 2 || got[0].Command != before.Command || got[1].Command != after.Command {
			t.Fatalf("decoded %+v", got)
		}
		if !bytes.Equal(torn, b[:n]) {
			t.Fatalf("torn %q, want %q", torn, b[:n])
		}
	})
}

func TestARecordWithoutItsLastByteIsWholeWhenAnotherFollows(t *testing.T) {
	a, b := Encode(Record{Command: "a"}), Encode(Record{Command: "b"})
	d := NewDecoder(iotest.OneByteReader(bytes.NewReader(slices.Concat(a[:len(a)-1], b, a))), 0)
	for _, want := range []string{"a", "b", "a"} {
		if r, err := d.Next(); err != nil || r.Command != want {
			t.Errorf("%+v, %v, want %q", r, err, want)
		}
	}
}

func TestARecordThatIsStillBeingWrittenIsWaitedFor(t *testing.T) {
	whole := Encode(Record{Shell: protocol.ShellZsh, Command: "ls -l", CWD: "/"})
	for n := 1; n < len(whole); n++ {
		d := NewDecoder(bytes.NewReader(whole[:n]), 7)
		if _, err := d.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v, want io.ErrUnexpectedEOF", n, len(whole), err)
		}
		if d.Offset() != 7 || !bytes.Equal(d.Rest(), whole[:n]) {
			t.Errorf("%d of %d bytes: offset %d, rest %q", n, len(whole), d.Offset(), d.Rest())
		}
	}
}

func TestMalformedRecordsAreTornWithTheReason(t *testing.T) {
	for _, c := range []struct{ fields, reason string }{
		{"x\x00\x00\x00\x00bash\x00/\x00ls", "start time"},
		{"-5\x00\x00\x00\x00bash\x00/\x00ls", "out of range"},
		{"999999999999999999\x00\x00\x00\x00bash\x00/\x00ls", "out of range"},
		{"253402300799000000\x00\x00\x00\x00bash\x00/\x00ls", "out of range"}, // the year 9999
		{"99999999999999999999999\x00\x00\x00\x00bash\x00/\x00ls", "digits"},
		{"1.5+x\x00\x00\x00\x00bash\x00/\x00ls", "number of seconds"},
		{"1.5+2.x\x00\x00\x00\x00bash\x00/\x00ls", "number of seconds"},
		{"1.5+2.0000000x\x00\x00\x00\x00bash\x00/\x00ls", "number of seconds"},
		{"1+.5\x00\x00\x00\x00bash\x00/\x00ls", "number of seconds"},
		{"9999999999999+1\x00\x00\x00\x00bash\x00/\x00ls", "number of seconds"},
		{"999999999999+999999999999\x00\x00\x00\x00bash\x00/\x00ls", "out of range"},
		{"1\x00d\x00\x00\x00bash\x00/\x00ls", "duration"},
		{"1\x00\x00e\x00\x00bash\x00/\x00ls", "exit status"},
		{"1\x00\x0099999999999\x00\x00bash\x00/\x00ls", "exit status"},
		{"1\x00\x00\x00z\x00bash\x00/\x00ls", "unknown flag"},
		{"1\x00\x00\x00\x00bash\x00/\x00", "no command"},
		{"1\x00\x00\x00q\x00bash\x00/\x00ls", "unquoted"},
		{"1\x00\x00\x00q\x00bash\x00/\x00'ls", "closing quote"},
		{"1\x00\x00\x00q\x00bash\x00/\x00$'l\\", "backslash"},
		{"1\x00\x00\x00q\x00bash\x00/\x00$'l\\z'", "unknown escape"},
		{"1\x00\x00\x00\x00bash\x00ls", "end mark"},
		{"1\x00\x00\x00e\x00bash\x00/\x00ls", "end mark"},
		{"1\x00\x00\x00\x00bash\x00/\x00ls\x00ls", "end mark"},
		{"1\x00\x00\x00eq\x00bash\x00/\x00'ls'\x00ls", "unquoted"},
		{"1\x00\x00\x00ea\x00bash\x00/\x00ls\x00ls\x00ls", "end mark"},
	} {
		d := NewDecoder(strings.NewReader(marker+c.fields+"\x00"+end+"\x00"+string(Encode(Record{Command: "next"}))), 0)
		_, err := d.Next()
		var torn *TornError
		if !errors.As(err, &torn) || !strings.Contains(torn.Error(), c.reason) {
			t.Errorf("%q: %v, want %q", c.fields, err, c.reason)
		}
		if r, err := d.Next(); err != nil || r.Command != "next" {
			t.Errorf("%q: the next record is lost: %+v, %v", c.fields, r, err)
		}
	}
}

func TestAClockThatWasSetBackMakesTheDurationUnknown(t *testing.T) {
	d := NewDecoder(strings.NewReader(marker+"5\x00-3000\x000\x00\x00bash\x00/\x00ls\x00"+end+"\x00"), 0)
	if r, err := d.Next(); err != nil || r.Duration != nil || r.Command != "ls" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTheExpansionIsOneFieldMore(t *testing.T) {
	for fields, want := range map[string]Record{
		"\x00bash\x00/\x00k":                        {Command: "k"},
		"e\x00zsh\x00/\x00k\x00kubectl":             {Command: "k", Expanded: "kubectl"},
		"a\x00bash\x00/\x00k\x00k=kubectl\x1fl=ls":  {Command: "k", Aliases: "k=kubectl\x1fl=ls"},
		"aq\x00bash\x00/\x00$'k\\nl'\x00$'k=a\\nb'": {Command: "k\nl", Aliases: "k=a\nb"},
		"e\x00zsh\x00/\x00k\x00":                    {Command: "k"},
	} {
		d := NewDecoder(strings.NewReader(marker+"1\x00\x00\x00"+fields+"\x00"+end+"\x00"), 0)
		r, err := d.Next()
		if err != nil || r.Command != want.Command || r.Expanded != want.Expanded || r.Aliases != want.Aliases {
			t.Errorf("%q: %+v, %v, want %+v", fields, r, err, want)
		}
	}
}

func TestAStartMayBeASumOfSeconds(t *testing.T) {
	for start, want := range map[string]int64{
		"1795550608.161507+533.92": 1795551142081507, "1795550608+0.01": 1795550608010000, "-2+3.5": 1500000,
		"1.1234567+1": 2123456, "+533.92": 0, "1795550608+": 0, "+": 0,
	} {
		d := NewDecoder(strings.NewReader(marker+start+"\x00\x00\x00\x00fish\x00/\x00ls\x00"+end+"\x00"), 0)
		r, err := d.Next()
		if want == 0 && err == nil && r.Start.IsZero() {
			continue
		}
		if err != nil || r.Start.UnixMicro() != want {
			t.Errorf("%q: %v, %v, want %d µs", start, r.Start.UnixMicro(), err, want)
		}
	}
}

func TestWhatIsLongerThanAnyRecordTakesBoundedMemory(t *testing.T) {
	// 3 × MaxRecord without an end, then a good record.
	next := Encode(Record{Command: "next"})
	r := io.MultiReader(strings.NewReader(marker), io.LimitReader(zeros('x'), 3*MaxRecord), bytes.NewReader(next))
	d := NewDecoder(r, 0)
	total := 0
	for {
		rec, err := d.Next()
		var torn *TornError
		if errors.As(err, &torn) {
			if len(torn.Bytes) > MaxRecord+chunk {
				t.Fatalf("a piece of %d bytes", len(torn.Bytes))
			}
			total += len(torn.Bytes)
			continue
		}
		if err != nil || rec.Command != "next" {
			t.Fatalf("%+v, %v", rec, err)
		}
		break
	}
	if want := len(marker) + 3*MaxRecord; total != want {
		t.Errorf("%d bytes are torn, want %d", total, want)
	}
	if cap(d.buf) > 4*MaxRecord {
		t.Errorf("the buffer has grown to %d bytes", cap(d.buf))
	}
}

type zeros byte

func (z zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(z)
	}
	return len(p), nil
}

func TestAReadErrorIsReported(t *testing.T) {
	d := NewDecoder(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(Encode(Record{Command: "ls"})))), 0)
	if _, err := d.Next(); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("%v, want the reader's error", err)
	}
}

func TestUnquoteReadsWhatBashQuotes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed, so its quoting cannot be compared")
	}
	texts := []string{"plain", "it's", "a\nb", "tab\tand\x01\x02\x7f\x1b[0m", `back\slash "double" $dollar `, "grüße 🙂\n日本", "\xff\xfe\n\x80", "'''\n'''", "\r\n", "\\n\n", "!\n?", strings.Repeat("a'\n", 100)}
	for _, locale := range []string{"C", "C.UTF-8"} {
		for _, text := range texts {
			cmd := exec.Command(bash, "-c", `printf %s "${1@Q}"`, "bash", text)
			cmd.Env = []string{"LC_ALL=" + locale}
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := unquote(string(out)); err != nil || got != text {
				t.Errorf("%s: %q is read as %q (%v), want %q", locale, out, got, err, text)
			}
		}
	}
}

func TestUnquoteReadsNumericEscapes(t *testing.T) {
	for in, want := range map[string]string{`$'\x41\x4'`: "A\x04", `$'\u00fc\U0001F642'`: "ü🙂", `$'\cA\cz'`: "\x01\x1a", `$'\1012'`: "A2", `$'\0'`: "\x00", `$'\?\"'`: `?"`,
		`'a'\''b'`: "a'b", `''`: "", `$'\ud800'`: "\uFFFD", `$'\UFFFFFFFF'`: "\uFFFD"} {
		if got, err := unquote(in); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(Encode(Record{Start: time.UnixMicro(1), Shell: protocol.ShellBash, CWD: "/", Command: "ls"}))
	f.Add(Encode(Record{Command: "a\x00b"})[:30])
	f.Add([]byte(marker + "1795550608.161507+533.92\x003000\x000\x00\x00fish\x00/\x00ls\x00" + end + "\x00"))
	f.Add(Encode(Record{Start: time.UnixMicro(1), Shell: protocol.ShellZsh, CWD: "/", Command: "k get pods", Expanded: "kubectl get pods"}))
	f.Add(Encode(Record{Shell: protocol.ShellBash, Command: "k", Aliases: "k=kubectl\x1fl=ls\x00"}))
	f.Add([]byte(marker + marker + "\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte(marker + "1\x002\x003\x00q\x00bash\x00/\x00$'\\x41\\u00e4\\cA'\x00" + end + "\x00"))
	f.Fuzz(func(t *testing.T, file []byte) {
		d := NewDecoder(bytes.NewReader(file), 0)
		var offset int64
		for {
			_, err := d.Next()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			var torn *TornError
			if err != nil && !errors.As(err, &torn) {
				t.Fatal(err)
			}
			if torn != nil && (torn.Offset != offset || !bytes.Equal(torn.Bytes, file[offset:d.Offset()])) {
				t.Fatalf("torn bytes %q at %d are not those of the file", torn.Bytes, torn.Offset)
			}
			if d.Offset() <= offset {
				t.Fatal("no progress")
			}
			offset = d.Offset()
		}
		if rest := d.Rest(); !bytes.Equal(rest, file[offset:]) {
			t.Fatalf("%d bytes are neither read nor left", len(file)-int(offset)-len(rest))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	d := 3 * time.Millisecond
	one := Encode(Record{Start: time.Now(), Duration: &d, Shell: protocol.ShellZsh, CWD: "/home/anna/src/project", Command: "git commit -am 'fix the thing'"})
	file := bytes.Repeat(one, 1000)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		dec := NewDecoder(bytes.NewReader(file), 0)
		for range 1000 {
			if _, err := dec.Next(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
