package export

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/audit/siem"
)

func TestAnExportGoesOnAfterTheLastThatWasDelivered(t *testing.T) {
	dir := t.TempDir()
	c := newChain(t, 1203) // more than two batches
	e := c.toFile(t, dir)
	if n := run(t, e); n != 1203 {
		t.Errorf("delivered %d", n)
	}
	if n := run(t, e); n != 0 {
		t.Errorf("delivered %d again", n)
	}
	c.grow(t, 7)
	if n := run(t, e); n != 7 {
		t.Errorf("delivered %d new ones", n)
	}
	if got := sequences(t, filepath.Join(dir, "audit.jsonl")); !slices.Equal(got, rising(1, 1210)) {
		t.Errorf("the file holds %v", got)
	}
	for _, name := range []string{"audit.jsonl", "state"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// What a killed process leaves is a state that was acknowledged and a file that holds that, and any beginning of what came
// after it.
func TestAKillAtAnyByteLosesNoRecordAndRepeatsNone(t *testing.T) {
	for _, format := range siem.Formats() {
		c := newChain(t, 9)
		whole := t.TempDir()
		e := c.toFile(t, whole)
		e.Format = format
		all := c.records
		c.records = all[:4]
		run(t, e)
		acked, err := os.ReadFile(filepath.Join(whole, "state"))
		if err != nil {
			t.Fatal(err)
		}
		first := size(t, filepath.Join(whole, "audit.jsonl"))
		c.records = all
		run(t, e)
		want, err := os.ReadFile(filepath.Join(whole, "audit.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		ends := []int{}
		for i, b := range want {
			if b == '\n' {
				ends = append(ends, i)
			}
		}
		// Before, at and after the ends of lines, and inside of one; in front of what was acknowledged and behind it.
		for _, n := range []int{0, 1, ends[1], ends[1] + 1, ends[3], ends[3] + 1, ends[3] + 2, (ends[5] + ends[6]) / 2, ends[7], ends[7] + 1, ends[8], ends[8] + 1} {
			dir := t.TempDir()
			path := filepath.Join(dir, "audit.jsonl")
			if err := os.WriteFile(path, want[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			if n >= int(first) { // the state is never ahead of the file
				var s state
				if err := json.Unmarshal(acked, &s); err != nil {
					t.Fatal(err)
				}
				s.Target = path
				if err := s.save(filepath.Join(dir, "state")); err != nil {
					t.Fatal(err)
				}
			}
			again := c.toFile(t, dir)
			again.Format = format
			run(t, again)
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s: after %d of %d bytes the file becomes\n%s\nwant\n%s", format, n, len(want), got, want)
			}
		}
	}
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestAFileOfSomethingElseIsNotWrittenTo(t *testing.T) {
	dir := t.TempDir()
	c := newChain(t, 3)
	e := c.toFile(t, dir)
	path := filepath.Join(dir, "audit.jsonl")
	for _, content := range []string{"something else\n", "{\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Run(t.Context(), e); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v", err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("the file became %q", b)
		}
		if _, err := os.Stat(e.State); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something was acknowledged: %v", err)
		}
	}
}

func TestAFileThatIsMovedAwayOrTruncatedIsBegunAnew(t *testing.T) {
	dir := t.TempDir()
	c := newChain(t, 3)
	e := c.toFile(t, dir)
	path := filepath.Join(dir, "audit.jsonl")
	stop := follow(t, e)
	delivered := func(path string, first, last uint64) {
		t.Helper()
		eventually(t, func() error {
			if _, err := os.Stat(path); err != nil {
				return err
			}
			if got := sequences(t, path); !slices.Equal(got, rising(first, last)) {
				return fmt.Errorf("%s holds %v, want %d to %d", path, got, first, last)
			}
			return nil
		})
	}
	acknowledged := func(n uint64) {
		t.Helper()
		eventually(t, func() error {
			if s, err := load(e.State, string(e.Format), e.Target.name()); err != nil || s.Sequence != n {
				return errors.Join(err, fmt.Errorf("acknowledged is %d, want %d", s.Sequence, n))
			}
			return nil
		})
	}
	delivered(path, 1, 3)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	c.grow(t, 2)
	delivered(path, 4, 5)
	acknowledged(5)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	c.grow(t, 2)
	delivered(path, 6, 7)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	c.grow(t, 1)
	run(t, e)
	delivered(path, 8, 8)
	delivered(path+".1", 1, 3)
}

func TestAnExportStopsWhenTheLogIsNotTheOneAnyMore(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, c *chain){
		"cut":       func(_ *testing.T, c *chain) { c.records = c.records[:4] },
		"emptied":   func(_ *testing.T, c *chain) { c.records = nil },
		"rewritten": func(t *testing.T, c *chain) { c.records = newChain(t, 8).records },
		"cut and regrown": func(t *testing.T, c *chain) {
			c.records = c.records[:4]
			c.grow(t, 4)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := newChain(t, 5)
			e := c.toFile(t, dir)
			run(t, e)
			e.Records = c.get
			spoil(t, c)
			if n, err := Run(t.Context(), e); !errors.Is(err, ErrBroken) || n != 0 || !strings.Contains(err.Error(), "--state") {
				t.Errorf("delivered %d, %v", n, err)
			}
			if got := sequences(t, filepath.Join(dir, "audit.jsonl")); !slices.Equal(got, rising(1, 5)) {
				t.Errorf("the file holds %v", got)
			}
		})
	}
}

func TestWhatDoesNotFitTheChainIsToldAndExported(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, c *chain){
		"altered": func(t *testing.T, c *chain) {
			c.grow(t, 3)
			c.records[6].Details = map[string]string{"rule": "default"}
		},
		"unlinked": func(t *testing.T, c *chain) {
			c.grow(t, 3)
			r := &c.records[6]
			r.PrevHash[0] ^= 1
			h, err := r.ComputeHash()
			if err != nil {
				t.Fatal(err)
			}
			r.Hash = h
		},
	} {
		for _, before := range []int{0, 6} { // in the middle of what is read at once, and where it begins
			t.Run(fmt.Sprint(name, before), func(t *testing.T) {
				dir := t.TempDir()
				c := newChain(t, 6)
				e := c.toFile(t, dir)
				var notes []string
				e.Note = func(s string) { notes = append(notes, s) }
				if before > 0 {
					run(t, e)
				}
				spoil(t, c)
				run(t, e)
				if got := sequences(t, filepath.Join(dir, "audit.jsonl")); !slices.Equal(got, rising(1, 9)) {
					t.Errorf("the file holds %v", got)
				}
				if len(notes) == 0 || !strings.HasPrefix(notes[0], "record 7 does not fit the chain") {
					t.Errorf("told %q", notes)
				}
			})
		}
	}
}

func TestWhatRetentionRemovedBeforeItWasExportedIsTold(t *testing.T) {
	dir := t.TempDir()
	c := newChain(t, 5)
	e := c.toFile(t, dir)
	run(t, e)
	c.grow(t, 5)
	c.records = c.records[7:]
	var notes []string
	e.Note = func(s string) { notes = append(notes, s) }
	if n := run(t, e); n != 3 || len(notes) != 1 || !strings.Contains(notes[0], "records 6 to 7") {
		t.Errorf("delivered %d, notes %q", n, notes)
	}
	if got := sequences(t, filepath.Join(dir, "audit.jsonl")); !slices.Equal(got, append(rising(1, 5), rising(8, 10)...)) {
		t.Errorf("the file holds %v", got)
	}
}

func TestAStateFileIsForOneExportAndOneProcess(t *testing.T) {
	dir := t.TempDir()
	c := newChain(t, 3)
	e := c.toFile(t, dir)
	run(t, e)
	other := e
	other.Format = siem.OCSF
	if _, err := Run(t.Context(), other); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "--state") {
		t.Errorf("another format: %v", err)
	}
	other = e
	other.Target = Stream(&bytes.Buffer{})
	if _, err := Run(t.Context(), other); !errors.Is(err, ErrState) {
		t.Errorf("another target: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "noise"), []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	other = e
	other.State = filepath.Join(dir, "noise")
	if _, err := Run(t.Context(), other); !errors.Is(err, ErrState) {
		t.Errorf("noise: %v", err)
	}
	follow(t, e)
	c.grow(t, 1)
	eventually(t, func() error { // until the other one is at work
		if got := sequences(t, filepath.Join(dir, "audit.jsonl")); len(got) != 4 {
			return fmt.Errorf("the file holds %v", got)
		}
		return nil
	})
	if _, err := Run(t.Context(), e); !errors.Is(err, ErrRunning) {
		t.Errorf("while another one runs: %v", err)
	}
}

func TestWithoutAStateEverythingIsWritten(t *testing.T) {
	c := newChain(t, 3)
	var out bytes.Buffer
	e := Config{Records: c.get, Origin: here, Format: siem.JSONLines, Target: Stream(&out)}
	if n := run(t, e) + run(t, e); n != 6 || strings.Count(out.String(), "\n") != 6 {
		t.Errorf("delivered %d: %s", n, &out)
	}
	var r audit.Record
	if err := json.NewDecoder(&out).Decode(&r); err != nil || r.Sequence != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
