package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/policy/audit/siem"
)

// killedVariable names the folder in which a second process of this test binary exports until it is killed.
const killedVariable = "CARO_EXPORT_UNTIL_KILLED"

// exportUntilKilled follows a log that grows by one record each time it is asked, and says so.
func exportUntilKilled(dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, "chain.json"))
	var records []audit.Record
	if err == nil {
		err = json.Unmarshal(b, &records)
	}
	target, fileErr := File(filepath.Join(dir, "audit.jsonl"))
	if err = errors.Join(err, fileErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	_, err = Run(context.Background(), Config{Origin: here, Format: siem.JSONLines, Target: target, State: filepath.Join(dir, "state"), Follow: true, Every: 1,
		Records: func(_ context.Context, after uint64, _ int) ([]audit.Record, error) {
			_, _ = fmt.Fprintln(os.Stdout, after)
			if int(after) >= len(records) {
				return nil, nil
			}
			return records[after : after+1], nil
		}})
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestAKilledProcessLosesNoRecordAndRepeatsNone(t *testing.T) {
	dir := t.TempDir()
	c := newChain(t, 2000)
	b, err := json.Marshal(c.records)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "chain.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 8 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), killedVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 10+13*round && lines.Scan(); n++ { // somewhere in its work, each time elsewhere
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // killed
	}
	run(t, c.toFile(t, dir))
	if got := sequences(t, filepath.Join(dir, "audit.jsonl")); !slices.Equal(got, rising(1, 2000)) {
		t.Errorf("the file holds %d records: %v", len(got), got)
	}
}
