package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// storeBenchmarks measure the database beside a bare table on the same library with the same settings, in turns.
const storeBenchmarks = "github.com/caro-mesh/caro-node/store"

// database prints what storing costs.
func (b *bench) database(ctx context.Context) error {
	one, err := storeFigures(ctx, "AppendOne", "20000x")
	if err != nil {
		return err
	}
	row("one event stored, p50 / p99", fmt.Sprintf("%.0f / %.0f µs", one["p50-µs(goal:60)"], one["p99-µs(goal:500)"]),
		fmt.Sprintf("1 ms / 60 and 500 µs, floor %.0f / %.0f µs (bare insert)", one["floor-p50-µs"], one["floor-p99-µs"]))
	row("one event stored, times the floor", fmt.Sprintf("%.2f", one["ratio-p50(goal:2)"]), "2 / –")
	m, err := storeFigures(ctx, "ImportMillion", "1x")
	if err != nil {
		return err
	}
	row("1000000 events in transactions of 1,000", fmt.Sprintf("%.0f /s", m["events/s(goal:20000)"]), fmt.Sprintf("20,000 / 80,000 /s, floor %.0f /s (bare table)", m["floor-events/s"]))
	row("… database, bytes an event", fmt.Sprintf("%.0f B", m["bytes/event"]), fmt.Sprintf("–, floor %.0f B (without search and counts)", m["floor-bytes/event"]))
	row("… resident memory after 100,000 / 500,000 / 1,000,000", fmt.Sprintf("%.0f / %.0f / %.0f MiB", m["MiB-at-100000"], m["MiB-at-500000"], m["MiB-at-1000000"]), "flat / – (both databases)")
	if b.searched == 0 { // -million
		return nil
	}
	return b.importMemory(ctx)
}

// importMemory compares the memory that the import of a short and of a long history takes.
func (b *bench) importMemory(ctx context.Context) error {
	for _, lines := range []int{b.searched / 10, b.searched} {
		file := filepath.Join(b.dir, fmt.Sprintf("history_%d", lines))
		if err := writeHistory(file, lines); err != nil {
			return err
		}
		n, err := nodeproc.New(ctx, b.bin, filepath.Join(b.dir, fmt.Sprintf("memory_%d", lines)), "memory")
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, b.bin, "import", "zsh", file, "--json")
		cmd.Env = append(os.Environ(), "CARO_HOME="+n.Home)
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("import %d lines: %w", lines, err)
		}
		var doc struct {
			Stored int `json:"stored"`
		}
		if err := json.Unmarshal(out, &doc); err != nil || doc.Stored != lines {
			return fmt.Errorf("the import of %d lines stored %d (%w)", lines, doc.Stored, err)
		}
		used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return errors.New("this system does not tell the memory of a process")
		}
		row(fmt.Sprintf("import of %d lines, most memory", lines), mib(used.Maxrss<<10), "flat / –")
	}
	return nil
}

func storeFigures(ctx context.Context, name, times string) (map[string]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "-", "-bench", "^Benchmark"+name+"$", "-benchtime", times, storeBenchmarks)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("measure the database with %q: %w\n%s%s", cmd.Args, err, out.String(), errs.String())
	}
	m, err := figures(out.String())
	if err == nil && m == nil {
		err = fmt.Errorf("%q printed no figures:\n%s", cmd.Args, out.String())
	}
	return m, err
}
