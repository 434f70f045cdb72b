package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// imports times the import of a zsh history straight into the database, through the running node, and once more, when
// nothing is new. The figures are those of the whole process.
func (b *bench) imports(ctx context.Context) error {
	file := filepath.Join(b.dir, "zsh_history")
	if err := writeHistory(file, b.history); err != nil {
		return err
	}
	direct, err := nodeproc.New(ctx, b.bin, filepath.Join(b.dir, "direct"), "direct")
	if err != nil {
		return err
	}
	what := fmt.Sprintf("import of %d lines, ", b.history)
	took, err := importInto(ctx, direct, file, "database", b.history, 0)
	if err != nil {
		return err
	}
	row(what+"the node stopped", seconds(took), "10 s / –")
	n, err := nodeproc.New(ctx, b.bin, filepath.Join(b.dir, "through"), "through")
	if err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	defer func() { _ = n.Kill() }() // stopped below unless something failed
	if err := awaitReady(ctx, n); err != nil {
		return err
	}
	if took, err = importInto(ctx, n, file, "daemon", b.history, 0); err != nil {
		return err
	}
	row(what+"through the node", seconds(took), "10 s / –")
	if took, err = importInto(ctx, n, file, "daemon", 0, b.history); err != nil {
		return err
	}
	row(what+"all of them known", seconds(took), "10 s / –")
	return n.Stop()
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// importInto checks that the import took the way and stored what it should.
func importInto(ctx context.Context, n *nodeproc.Node, file, through string, stored, known int) (time.Duration, error) {
	start := time.Now()
	out, err := n.Run(ctx, "import", "zsh", file, "--json")
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	var doc struct {
		Stored        int    `json:"stored"`
		AlreadyStored int    `json:"already_stored"`
		Through       string `json:"through"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		return 0, fmt.Errorf("read the answer of \"import --json\": %w", err)
	}
	if doc.Stored != stored || doc.AlreadyStored != known || doc.Through != through {
		return 0, fmt.Errorf("the import stored %d commands and knew %d through the %s, instead of %d and %d through the %s",
			doc.Stored, doc.AlreadyStored, doc.Through, stored, known, through)
	}
	return took, nil
}

// writeHistory writes an extended zsh history of the last months.
func writeHistory(file string, lines int) error {
	var b bytes.Buffer
	t, at := newTypist(), time.Now().Unix()-int64(lines)*100
	for range lines {
		at += t.r.Int64N(200)
		fmt.Fprintf(&b, ": %d:%d;%s\n", at, t.r.IntN(10), t.command())
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}
