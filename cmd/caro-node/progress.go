package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress draws a bar on a terminal, and nothing elsewhere.
type progress struct {
	w     io.Writer // nil: nothing is drawn
	size  int64     // bytes of the whole; -1: not known
	start time.Time
	drawn time.Time
	width int // of what is drawn now
}

// progressEvery is how often the bar is drawn anew.
const progressEvery = 100 * time.Millisecond

func newProgress(w io.Writer, getenv func(string) string, size int64, start time.Time) *progress {
	p := &progress{size: size, start: start, drawn: start}
	if f, ok := w.(*os.File); ok && getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// show draws that so many bytes were worked through, and so many commands.
func (p *progress) show(bytes int64, commands int) {
	now := time.Now()
	if p.w == nil || now.Sub(p.drawn) < progressEvery {
		return
	}
	p.drawn = now
	text := fmt.Sprintf("%s, %s a second", commandCount(commands), grouped(int(float64(commands)/now.Sub(p.start).Seconds())))
	if p.size > 0 {
		text = bar(float64(bytes)/float64(p.size)) + "  " + text
	}
	_, _ = fmt.Fprintf(p.w, "\r%-*s", p.width, text) // nowhere to report a failing terminal
	p.width = len([]rune(text))
}

// clear takes the bar away.
func (p *progress) clear() {
	if p.w != nil && p.width > 0 {
		_, _ = fmt.Fprintf(p.w, "\r%*s\r", p.width, "")
		p.width = 0
	}
}

// bar draws a fraction.
func bar(fraction float64) string {
	const cells = 24
	fraction = max(0, min(1, fraction))
	full := int(fraction * cells)
	return fmt.Sprintf("[%s%s] %3d%%", strings.Repeat("#", full), strings.Repeat(".", cells-full), int(100*fraction))
}
