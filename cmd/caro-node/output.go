package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/caro-mesh/caro-node/protocol"
)

// defaultLimit is how many items a list shows unless the person says otherwise.
const defaultLimit = 50

// stdio is where a command reads and writes. Data goes to Out, everything else to Err.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// isTerminal reports whether w is a terminal that wants colour and progress.
func isTerminal(w io.Writer, getenv func(string) string) bool {
	f, ok := w.(*os.File)
	return ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// writeJSON prints one document, indented, with a newline.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table prints aligned columns.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, head ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	for len(cells) > 1 && cells[len(cells)-1] == "" { // or the line would end in spaces
		cells = cells[:len(cells)-1]
	}
	for i := range cells {
		cells[i] = oneLine(cells[i])
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t")) // Flush reports it
}

func (t *table) flush() error { return t.w.Flush() }

// oneLine makes any text safe and short for a terminal: control characters, which could drive the terminal or forge
// lines, are shown as escapes.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, notPrintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("⏎ ")
		case r == '\t':
			b.WriteString(" ")
		case notPrintable(r):
			fmt.Fprintf(&b, "\\x%02x", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func notPrintable(r rune) bool { return !unicode.IsPrint(r) }

// cut shortens s to at most width runes.
func cut(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}

// unlimited is the width of what is not a terminal: a file or another program wants whole lines.
const unlimited = math.MaxInt32

// terminalWidth returns the columns of w, or [unlimited] where it is not a terminal.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 20 {
			return n
		}
	}
	return unlimited
}

var riskColour = map[protocol.RiskLevel]string{
	protocol.RiskModerate: "\x1b[33m", protocol.RiskHigh: "\x1b[31m", protocol.RiskCritical: "\x1b[1;37;41m",
}

// paint colours s when the output wants it.
func paint(on bool, colour, s string) string {
	if !on || colour == "" {
		return s
	}
	return colour + s + "\x1b[0m"
}

// ago says how long before now t was, roughly.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d < time.Second {
		return "now"
	}
	return lasted(d) + " ago"
}

// lasted writes a length of time with its largest unit.
func lasted(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// counted writes a number with the word for what is counted.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// bytesText writes a size with a binary prefix.
func bytesText(n int64) string {
	const k = 1024
	switch {
	case n < k:
		return fmt.Sprintf("%d B", n)
	case n < k*k:
		return fmt.Sprintf("%.1f KiB", float64(n)/k)
	case n < k*k*k:
		return fmt.Sprintf("%.1f MiB", float64(n)/(k*k))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(k*k*k))
}
