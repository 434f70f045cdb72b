package histfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read collects all entries and problems of a text.
func read(t testing.TB, shell protocol.ShellType, text string) ([]Entry, []Problem) {
	t.Helper()
	var out []Entry
	err := Read(strings.NewReader(text), shell, func(e Entry) error {
		out = append(out, e)
		return nil
	})
	var malformed *MalformedError
	if err != nil && !errors.As(err, &malformed) {
		t.Fatalf("Read: %v", err)
	}
	if malformed == nil {
		return out, nil
	}
	return out, malformed.Problems
}

func commands(entries []Entry) []string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Command)
	}
	return out
}

func at(sec int64) time.Time { return time.Unix(sec, 0).UTC() }

func took(sec int) *time.Duration {
	d := time.Duration(sec) * time.Second
	return &d
}

func TestEntriesAreReadWithTimePositionAndProblems(t *testing.T) {
	for name, c := range map[string]struct {
		shell    protocol.ShellType
		text     string
		want     []Entry
		problems []int
	}{
		"bash without times":         {protocol.ShellBash, "ls\n\ngit status\n", []Entry{{Command: "ls", Line: 1}, {Command: "git status", Offset: 4, Line: 3}}, nil},
		"bash without final newline": {protocol.ShellBash, "ls\npwd", []Entry{{Command: "ls", Line: 1}, {Command: "pwd", Offset: 3, Line: 2}}, nil},
		"bash with times": {protocol.ShellBash, "#1700000000\nls\n#1700000001\npwd\n", []Entry{
			{Command: "ls", Start: at(1700000000), Line: 1}, {Command: "pwd", Start: at(1700000001), Offset: 15, Line: 3}}, nil},
		"bash several lines under a time": {protocol.ShellBash, "#1700000000\necho \"a\n\nb\"\n#1700000001\ncat <<E\nx\nE\nls\n", []Entry{
			{Command: "echo \"a\n\nb\"", Start: at(1700000000), Line: 1}, {Command: "cat <<E\nx\nE\nls", Start: at(1700000001), Offset: 24, Line: 5}}, nil},
		"bash times that begin later": {protocol.ShellBash, "ls\n#1700000000\npwd\nmake\n", []Entry{
			{Command: "ls", Line: 1}, {Command: "pwd", Start: at(1700000000), Offset: 3, Line: 2}, {Command: "make", Offset: 19, Line: 4}}, nil},
		"bash open quote without times": {protocol.ShellBash, "git commit -m \"a\n\nb\"\nls\n", []Entry{
			{Command: "git commit -m \"a\n\nb\"", Line: 1}, {Command: "ls", Offset: 21, Line: 4}}, nil},
		"bash here-document without times": {protocol.ShellBash, "cat <<EOF\nrm -rf /\nEOF\nls\n", []Entry{
			{Command: "cat <<EOF\nrm -rf /\nEOF", Line: 1}, {Command: "ls", Offset: 23, Line: 4}}, nil},
		"bash block without times": {protocol.ShellBash, "for i in a b\ndo\necho $i\ndone\nls\n", []Entry{
			{Command: "for i in a b\ndo\necho $i\ndone", Line: 1}, {Command: "ls", Offset: 29, Line: 5}}, nil},
		"bash continued line": {protocol.ShellBash, "docker run \\\n  -it x\nls\n", []Entry{
			{Command: "docker run \\\n  -it x", Line: 1}, {Command: "ls", Offset: 21, Line: 3}}, nil},
		"bash a quote that never closes": {protocol.ShellBash, "echo don't\nls\n", []Entry{{Command: "echo don't", Line: 1}, {Command: "ls", Offset: 11, Line: 2}}, nil},
		"bash comments": {protocol.ShellBash, "#comment\n#123\n# 1700000000\nls # x\n", []Entry{
			{Command: "#comment", Line: 1}, {Command: "#123", Offset: 9, Line: 2}, {Command: "# 1700000000", Offset: 14, Line: 3}, {Command: "ls # x", Offset: 27, Line: 4}}, nil},
		"bash time without command": {protocol.ShellBash, "#1700000000\n#1700000001\nls\n#1700000002\n", []Entry{
			{Command: "ls", Start: at(1700000001), Offset: 12, Line: 2}}, []int{1, 4}},
		"bash NUL bytes":        {protocol.ShellBash, "ls\n\x00\x00\x00\npwd\n", []Entry{{Command: "ls", Line: 1}, {Command: "pwd", Offset: 7, Line: 3}}, []int{2}},
		"bash carriage returns": {protocol.ShellBash, "ls\r\npwd\r\n", []Entry{{Command: "ls", Line: 1}, {Command: "pwd", Offset: 4, Line: 2}}, nil},
		"sh":                    {protocol.ShellSh, "ls\n", []Entry{{Command: "ls", Line: 1}}, nil},

		"zsh plain": {protocol.ShellZsh, "ls\n\necho a\\\necho b\n\\: x\n", []Entry{{Command: "ls", Line: 1},
			{Command: "echo a\necho b", Offset: 4, Line: 3}, {Command: ": x", Offset: 19, Line: 5}}, nil},
		"zsh extended": {protocol.ShellZsh, ": 1700000000:0;ls\n: 1700000001:12;make \\\\\n  all\n", []Entry{
			{Command: "ls", Start: at(1700000000), Line: 1}, {Command: "make \\\n  all", Start: at(1700000001), Duration: took(12), Offset: 18, Line: 2}}, nil},
		"zsh mixed": {protocol.ShellZsh, "ls\n: 1700000000:3;pwd\n", []Entry{{Command: "ls", Line: 1},
			{Command: "pwd", Start: at(1700000000), Duration: took(3), Offset: 3, Line: 2}}, nil},
		"zsh final backslash":                  {protocol.ShellZsh, "echo \\ \nls\n", []Entry{{Command: "echo \\", Line: 1}, {Command: "ls", Offset: 8, Line: 2}}, nil},
		"zsh old final backslash":              {protocol.ShellZsh, ": 1700000000:0;echo \\\\\n: 1700000001:0;ls\n", []Entry{{Command: "echo \\\\", Start: at(1700000000), Line: 1}, {Command: "ls", Start: at(1700000001), Offset: 23, Line: 2}}, nil},
		"zsh backslash at the end of the file": {protocol.ShellZsh, "ls\necho \\", []Entry{{Command: "ls", Line: 1}, {Command: "echo \\", Offset: 3, Line: 2}}, nil},
		"zsh metafied":                         {protocol.ShellZsh, "echo \xe3\x81\x83\xb3\xe3\x82\x83\xb3 \x83\xa3\n", []Entry{{Command: "echo こん \x83", Line: 1}}, nil},
		"zsh broken times": {protocol.ShellZsh, ": 17x:0;ls\n: 1700000000;ls\n: 1700000000:x;a\\\nb\n: 99999999999999:0;ls\n: 1700000001:0;pwd\n", []Entry{
			{Command: "pwd", Start: at(1700000001), Offset: 69, Line: 6}}, []int{1, 2, 3, 5}},
		"zsh no command":    {protocol.ShellZsh, ": 1700000000:0;\nls\n", []Entry{{Command: "ls", Offset: 16, Line: 2}}, []int{1}},
		"zsh colon command": {protocol.ShellZsh, ": ${x:=1}\n:\n", []Entry{{Command: ": ${x:=1}", Line: 1}, {Command: ":", Offset: 10, Line: 2}}, nil},
		"zsh broken escape": {protocol.ShellZsh, "echo \x83\nls\n", []Entry{{Command: "ls", Offset: 7, Line: 2}}, []int{1}},
		"zsh NUL bytes":     {protocol.ShellZsh, "a\x00\nb \x83 \nls\n", []Entry{{Command: "ls", Offset: 8, Line: 3}}, []int{1, 2}},

		"fish": {protocol.ShellFish, "- cmd: ls\n  when: 1700000000\n- cmd: echo a\\nb \\\\n \\x\n  when: 1700000001\n  paths:\n    - /tmp/x\n    - y\n- cmd: pwd\n", []Entry{
			{Command: "ls", Start: at(1700000000), Line: 1}, {Command: "echo a\nb \\n \\x", Start: at(1700000001), Offset: 29, Line: 3}, {Command: "pwd", Offset: 102, Line: 8}}, nil},
		"fish malformed": {protocol.ShellFish, "junk\n- cmd: ls\n  when: soon\n  what: ever\n- cmd:\n  when: 1700000000\n    - a\n- cmd: a\x00b\n  when: 1\n- cmd: pwd\n  when: 1700000002\n",
			[]Entry{{Command: "ls", Offset: 5, Line: 2}, {Command: "pwd", Start: at(1700000002), Offset: 96, Line: 10}}, []int{1, 3, 4, 5, 8}},
		"empty": {protocol.ShellFish, "", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := read(t, c.shell, c.text)
			if !slices.EqualFunc(got, c.want, same) {
				t.Errorf("read\n %+v\nwanted\n %+v", got, c.want)
			}
			var lines []int
			for _, p := range problems {
				lines = append(lines, p.Line)
				if p.Reason == "" {
					t.Errorf("the problem in line %d has no reason", p.Line)
				}
			}
			if !slices.Equal(lines, c.problems) {
				t.Errorf("problems %v, wanted lines %v", problems, c.problems)
			}
			for _, e := range got {
				if c.text != "" && e.Offset > 0 && c.text[e.Offset-1] != '\n' {
					t.Errorf("offset %d of %q is not the beginning of a line", e.Offset, e.Command)
				}
			}
		})
	}
}

func same(a, b Entry) bool {
	if (a.Duration == nil) != (b.Duration == nil) || a.Duration != nil && *a.Duration != *b.Duration {
		return false
	}
	return a.Command == b.Command && a.Start.Equal(b.Start) && a.Offset == b.Offset && a.Line == b.Line
}

func TestAnOverlongCommandIsReportedAndTheRestIsRead(t *testing.T) {
	long := strings.Repeat("x", MaxCommand+1)
	for shell, text := range map[protocol.ShellType]string{
		protocol.ShellBash: "#1700000000\n%s\n#1700000001\nls\n",
		protocol.ShellZsh:  ": 1700000000:0;%s\n: 1700000001:0;ls\n",
		protocol.ShellFish: "- cmd: %s\n  when: 1700000000\n- cmd: ls\n  when: 1700000001\n",
	} {
		got, problems := read(t, shell, fmt.Sprintf(text, long))
		if len(got) != 1 || got[0].Command != "ls" || got[0].Start != at(1700000001) || len(problems) != 1 {
			t.Errorf("%s: read %d entries, problems %v", shell, len(got), problems)
		}
		fits := strings.Repeat("x", MaxCommand-100)
		if got, problems = read(t, shell, fmt.Sprintf(text, fits)); len(got) != 2 || got[0].Command != fits || problems != nil {
			t.Errorf("%s: a command below the limit: %d entries, problems %v", shell, len(got), problems)
		}
	}
	// Lines that each fit, together too long.
	got, problems := read(t, protocol.ShellZsh, strings.Repeat(strings.Repeat("x", 1000)+"\\\n", 2000)+"end\nls\n")
	if !slices.Equal(commands(got), []string{"ls"}) || len(problems) != 1 {
		t.Errorf("read %d entries, problems %v", len(got), problems)
	}
}

// HISTTIMEFORMAT was set at first and is no longer: not everything that follows is one command.
func TestTimesThatEndAreNoticed(t *testing.T) {
	text := "#1700000000\nls\n" + strings.Repeat("make\n", 3000)
	got, problems := read(t, protocol.ShellBash, text)
	if len(got) != 3001 || got[0].Start != at(1700000000) || !got[1].Start.IsZero() || len(problems) != 1 {
		t.Errorf("read %d entries, problems %v", len(got), problems)
	}
	if got[3000].Line != 3002 || got[3000].Offset != int64(len(text)-len("make\n")) {
		t.Errorf("the last entry is at line %d, offset %d", got[3000].Line, got[3000].Offset)
	}
}

func TestTheCallersErrorStopsReading(t *testing.T) {
	stop := errors.New("stop")
	for _, shell := range []protocol.ShellType{protocol.ShellBash, protocol.ShellZsh, protocol.ShellFish} {
		n := 0
		err := Read(strings.NewReader(strings.Repeat("- cmd: ls\n", 10)), shell, func(Entry) error {
			n++
			if n == 3 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || n != 3 {
			t.Errorf("%s: %v after %d entries", shell, err, n)
		}
	}
}

func TestAFailingReaderAndAnUnknownShellAreErrors(t *testing.T) {
	broken := errors.New("broken disk")
	for _, shell := range []protocol.ShellType{protocol.ShellBash, protocol.ShellZsh, protocol.ShellFish} {
		n := 0
		r := io.MultiReader(strings.NewReader("- cmd: ls\n- cmd: pwd\n"), iotest.ErrReader(broken))
		if err := Read(r, shell, func(Entry) error { n++; return nil }); !errors.Is(err, broken) || n == 0 {
			t.Errorf("%s: %v after %d entries", shell, err, n)
		}
	}
	if err := Read(strings.NewReader("ls\n"), protocol.ShellOther, nil); !errors.Is(err, ErrShell) {
		t.Errorf("unknown shell: %v", err)
	}
}

func TestMalformedErrorsAreCountedAndBounded(t *testing.T) {
	err := Read(strings.NewReader(strings.Repeat("junk\n", 5000)), protocol.ShellFish, func(Entry) error { return nil })
	var m *MalformedError
	if !errors.As(err, &m) || m.Total != 5000 || len(m.Problems) != maxProblems {
		t.Fatalf("%v", err)
	}
	if want := "5000 parts of the history file were left out, the first in line 1: text outside an entry"; err.Error() != want {
		t.Errorf("%q", err)
	}
	err = Read(strings.NewReader("junk\n"), protocol.ShellFish, func(Entry) error { return nil })
	if want := "line 1 of the history file was left out: text outside an entry"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// The encoders write what the shells write, as tested against them in shells_test.go.
func encodeBash(cmds []string) string {
	var b strings.Builder
	for i, c := range cmds {
		fmt.Fprintf(&b, "#%d\n%s\n", 1700000000+i, c)
	}
	return b.String()
}

func encodeZsh(cmds []string) string {
	var b strings.Builder
	for i, c := range cmds {
		text := ""
		for k := range len(c) {
			switch ch := c[k]; {
			case ch == '\n':
				text += "\\\n"
			case ch >= 0x83 && ch <= 0x9d || ch == 0xa0:
				text += string([]byte{meta, ch ^ metaBit})
			default:
				text += c[k : k+1]
			}
		}
		if bare := strings.TrimRight(c, " "); strings.HasSuffix(bare, "\\") {
			text += " "
		}
		if i%2 == 0 {
			fmt.Fprintf(&b, ": %d:%d;%s\n", 1700000000+i, i, text)
		} else {
			if strings.HasPrefix(c, ":") {
				text = "\\" + text
			}
			b.WriteString(text + "\n")
		}
	}
	return b.String()
}

func encodeFish(cmds []string) string {
	var b strings.Builder
	for i, c := range cmds {
		fmt.Fprintf(&b, "- cmd: %s\n  when: %d\n", strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(c), 1700000000+i)
	}
	return b.String()
}

func genCommands() *rapid.Generator[[]string] {
	piece := rapid.SampledFrom([]string{"ls", " ", "\n", "\\", ":", "#", "1700000000", "'", "\"", "é", "こ", "\x83", "\xa0", "\xff", "- cmd: ", "  when: 1", "$(", ";", "0"})
	one := rapid.Custom(func(t *rapid.T) string {
		return "x" + strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "") + "y" + rapid.SampledFrom([]string{"", "\\", "\\\\", " ", "\\ ", "\\  "}).Draw(t, "end")
	})
	return rapid.SliceOfN(one, 0, 10)
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cmds := genCommands().Draw(t, "commands")
		for shell, encode := range map[protocol.ShellType]func([]string) string{protocol.ShellBash: encodeBash, protocol.ShellZsh: encodeZsh, protocol.ShellFish: encodeFish} {
			text := encode(cmds)
			if shell == protocol.ShellBash && strings.Contains("\n"+strings.Join(cmds, "\n"), "\n#1700000000") ||
				shell == protocol.ShellZsh && strings.Contains(strings.Join(cmds, "\n"), "\n: 1700000000:0;") {
				continue // reads as a time, also to the shell
			}
			var got []string
			err := Read(iotest.OneByteReader(strings.NewReader(text)), shell, func(e Entry) error {
				got = append(got, e.Command)
				return nil
			})
			if err != nil || !slices.Equal(got, cmds) {
				t.Fatalf("%s: %q was read as %q, wanted %q: %v", shell, text, got, cmds, err)
			}
		}
	})
}

func fuzz(f *testing.F, shell protocol.ShellType) {
	for _, s := range []string{"", "ls\n", "#1700000000\nls\n", ": 1700000000:1;ls\\\nx\n", "- cmd: a\\nb\n  when: 1\n  paths:\n    - x\n", "echo \"a\nb\"\n", "\x83", "cat <<E\n", "\\: x\\ \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lastLine, lastOffset := 0, int64(-1)
		size := 0
		err := Read(strings.NewReader(text), shell, func(e Entry) error {
			if e.Command == "" || strings.Contains(e.Command, "\x00") {
				t.Fatalf("entry %+v", e)
			}
			if e.Line <= lastLine || e.Offset <= lastOffset || e.Offset >= int64(len(text)) {
				t.Fatalf("entry at line %d, offset %d after line %d, offset %d", e.Line, e.Offset, lastLine, lastOffset)
			}
			lastLine, lastOffset = e.Line, e.Offset
			size += len(e.Command)
			return nil
		})
		var m *MalformedError
		if err != nil && !errors.As(err, &m) {
			t.Fatal(err)
		}
		if size > len(text) {
			t.Fatalf("%d bytes of commands from %d bytes", size, len(text))
		}
	})
}

func FuzzBash(f *testing.F) { fuzz(f, protocol.ShellBash) }
func FuzzZsh(f *testing.F)  { fuzz(f, protocol.ShellZsh) }
func FuzzFish(f *testing.F) { fuzz(f, protocol.ShellFish) }

func BenchmarkRead(b *testing.B) {
	var bash, stamped, zsh, fish strings.Builder
	for i := range 100_000 {
		cmd := []string{"git status", "cd ~/projects/app && make -j8 test", "git commit -m 'Fix the parser for long lines'", "ls -la", "kubectl get pods -n prod | grep \"web\""}[i%5]
		bash.WriteString(cmd + "\n")
		fmt.Fprintf(&stamped, "#%d\n%s\n", 1700000000+i, cmd)
		fmt.Fprintf(&zsh, ": %d:0;%s\n", 1700000000+i, cmd)
		fmt.Fprintf(&fish, "- cmd: %s\n  when: %d\n", cmd, 1700000000+i)
	}
	for _, c := range []struct {
		name  string
		shell protocol.ShellType
		text  string
	}{{"bash", protocol.ShellBash, bash.String()}, {"bash-times", protocol.ShellBash, stamped.String()}, {"zsh", protocol.ShellZsh, zsh.String()}, {"fish", protocol.ShellFish, fish.String()},
		{"bash-hostile", protocol.ShellBash, strings.Repeat("cat <<EOF 'x\n", 100_000)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				n := 0
				if err := Read(strings.NewReader(c.text), c.shell, func(Entry) error { n++; return nil }); err != nil || n != 100_000 {
					b.Fatalf("%d entries, %v", n, err)
				}
			}
			b.ReportMetric(100_000/b.Elapsed().Seconds()*float64(b.N), "entries/s")
		})
	}
}
