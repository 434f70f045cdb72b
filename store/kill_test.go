package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/caro-mesh/caro-node/observer/event"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/protocol"
)

// writerDirVariable makes the test binary the process that is killed.
const writerDirVariable = "CARO_STORE_TEST_WRITER"

// Each record of the imagined spool file is this long, so that an offset tells how many events are stored.
const recordBytes = 100

// recordEvent is the event of a record; the same record gives the same event, as a spool file read again would.
func recordEvent(file string, n int64) event.Event {
	at := noon.Add(time.Duration(n) * 700 * time.Millisecond)
	exit := int(n % 3)
	return event.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, file, n)).String(), Timestamp: at, Shell: protocol.ShellZsh,
		Command: fmt.Sprintf("make target-%d in %s", n, file), CWD: fmt.Sprintf("/src/%d", n%7), Session: file, ExitCode: &exit,
		Category: protocol.CategorySystem, RiskLevel: protocol.RiskLevel(n % 4), Pattern: fmt.Sprintf("make _%d", n%11),
	}
}

// writeUntilKilled stores events of two files, audit records and sequence reservations as fast as it can, and prints a
// line for everything that it was told is stored.
func writeUntilKilled(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // should nobody kill it
	defer cancel()
	s, err := Open(ctx, filepath.Join(dir, "caro.db"), Options{packing: &packing{events: 40, bytes: 2048}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, file := range []string{"a.spool", "b.spool"} {
		group.Go(func() error { return storeRecords(ctx, s, file) })
	}
	group.Go(func() error {
		for n := 0; ; n++ {
			if _, err := s.AuditLog().Append(ctx, audit.Event{Type: protocol.AuditQueryReceived, Peer: nodeID(1), Details: map[string]string{"n": strconv.Itoa(n)}}); err != nil {
				return err
			}
			first, err := s.ReserveSequence(ctx, 5)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(os.Stdout, "sequence - %d\n", first); err != nil {
				return err
			}
		}
	})
	fmt.Fprintln(os.Stderr, group.Wait())
	return 1
}

func storeRecords(ctx context.Context, s *Store, file string) error {
	offset, err := s.SpoolOffset(ctx, file)
	if err != nil {
		return err
	}
	// A reader that does not trust its own memory begins again some records earlier.
	next := max(0, offset/recordBytes-3)
	for {
		n := int64(1)
		if rand.IntN(4) == 0 {
			n = 30
		}
		var events []event.Event
		for i := range n {
			events = append(events, recordEvent(file, next+i))
		}
		next += n
		if err := s.AppendFromSpool(ctx, file, next*recordBytes, events); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "offset %s %d\n", file, next*recordBytes); err != nil {
			return err
		}
	}
}

func TestKillingTheWriterAtAnyMomentLosesNothingAndDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "caro.db")
	acknowledged := make(map[string]int64)
	reserved := make(map[uint64]bool)
	var highest uint64 // peers refuse a number below the last
	rounds := 12
	if testing.Short() || raceDetector {
		rounds = 4
	}
	for round := range rounds {
		runWriter(t, dir, 1+rand.IntN(400), acknowledged, reserved, &highest)

		s, err := Open(t.Context(), path, Options{Repair: true})
		check(t, err)
		if s.Repaired() != nil {
			t.Errorf("round %d: a kill is taken for damage: %s", round, s.Repaired().Sentence())
		}
		sound(t, s)
		total := int64(0)
		for _, file := range []string{"a.spool", "b.spool"} {
			offset, err := s.SpoolOffset(t.Context(), file)
			check(t, err)
			if offset < acknowledged[file] {
				t.Errorf("round %d: %s is stored up to %d, but %d was acknowledged", round, file, offset, acknowledged[file])
			}
			first := max(0, offset/recordBytes-100)
			if round == rounds-1 {
				first = 0
			}
			for n := first; n < offset/recordBytes; n++ {
				if _, err := s.Event(t.Context(), recordEvent(file, n).ID); err != nil {
					t.Errorf("round %d: record %d of %s: %v", round, n, file, err)
				}
			}
			total += offset / recordBytes
		}
		stored, err := s.CountEvents(t.Context())
		check(t, err)
		if stored != total {
			t.Errorf("round %d: %d events are stored, but the offsets say %d", round, stored, total)
		}
		check(t, s.Close())
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds, %d records acknowledged, %d sequence blocks", rounds, (acknowledged["a.spool"]+acknowledged["b.spool"])/recordBytes, len(reserved))
}

// runWriter starts the writer and kills it after some lines.
func runWriter(t *testing.T, dir string, lines int, acknowledged map[string]int64, reserved map[uint64]bool, highest *uint64) {
	t.Helper()
	self, err := os.Executable()
	check(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), writerDirVariable+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	scanner := bufio.NewScanner(out)
	for n := 0; scanner.Scan(); n++ {
		if n == lines {
			check(t, cmd.Process.Kill())
		}
		var what, file string
		var value int64
		if _, err := fmt.Sscan(scanner.Text(), &what, &file, &value); err != nil {
			continue // the last line may be cut
		}
		switch what {
		case "offset":
			acknowledged[file] = max(acknowledged[file], value)
		case "sequence":
			if uint64(value) <= *highest {
				t.Errorf("sequence number %d was handed out after %d", value, *highest)
			}
			*highest = uint64(value) + 4
			for i := range uint64(5) {
				if reserved[uint64(value)+i] {
					t.Errorf("sequence number %d was handed out twice", uint64(value)+i)
				}
				reserved[uint64(value)+i] = true
			}
		}
	}
	check(t, scanner.Err())
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the writer ended by itself: %v\n%s", err, stderr.String())
	}
}
