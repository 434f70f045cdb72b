package daemon

import (
	"io"
	"log/slog"
)

// LogHandler returns the handler that writes the node's log to w. level is debug, info, warn or error; format is text,
// json, or auto, which is text on a terminal and JSON elsewhere.
func LogHandler(w io.Writer, level, format string, terminal bool) slog.Handler {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "json" || format == "auto" && !terminal {
		return slog.NewJSONHandler(w, o)
	}
	// A person reads the time of day; the date is in JSON and in the journal.
	o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.String(slog.TimeKey, a.Value.Time().Format("15:04:05.000"))
		}
		return a
	}
	return slog.NewTextHandler(w, o)
}
