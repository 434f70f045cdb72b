package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/protocol"
)

func TestLinesAreCutForATerminalAndWholeForAFile(t *testing.T) {
	long := "echo " + strings.Repeat("x", 300)
	e := v1.Event{Command: long, Timestamp: time.Now(), RiskLevel: protocol.RiskSafe}

	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if got := (&cli{stdio: stdio{Out: file}, getenv: os.Getenv}).eventLine(e); !strings.HasSuffix(got, long) {
		t.Errorf("into a file: %q", got)
	}
	if got := (&cli{stdio: stdio{Out: &bytes.Buffer{}}, getenv: os.Getenv}).eventLine(e); !strings.HasSuffix(got, long) {
		t.Errorf("into a pipe: %q", got)
	}

	screen, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = screen.Close(), terminal.Close() }()
	if err := pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 90}); err != nil {
		t.Fatal(err)
	}
	got := (&cli{stdio: stdio{Out: terminal}, getenv: func(string) string { return "" }}).eventLine(e)
	for _, colour := range riskColour {
		got = strings.ReplaceAll(got, colour, "")
	}
	if n := len([]rune(got)); n != 90 || !strings.HasSuffix(got, "x…") {
		t.Errorf("on a terminal of 90 columns: %d columns, %q", n, got)
	}
}
