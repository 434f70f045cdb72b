package shellparse

import (
	"strings"
)

// mount is a folder of this machine that a container sees.
type mount struct{ here, inside string }

// mounts reads the options with which docker run gives a container folders, writable ones only.
func mounts(args []Word) []mount {
	var out []mount
	for j := 0; j < len(args) && len(out) < maxFields; j++ {
		key, value, ok := strings.Cut(args[j].Text, "=")
		if !ok && j+1 < len(args) {
			value = args[j+1].Text
		}
		switch key {
		case "-v", "--volume":
			parts := strings.Split(value, ":")
			if len(parts) < 2 || len(parts) > 2 && strings.Contains(parts[2], "ro") {
				continue
			}
			out = append(out, mount{parts[0], parts[1]})
		case "--mount":
			_, value, _ = strings.Cut(args[j].Text+"="+value, "=")
			if !ok && j+1 < len(args) {
				value = args[j+1].Text
			}
			var m mount
			for _, f := range strings.Split(value, ",") {
				k, v, _ := strings.Cut(f, "=")
				switch k {
				case "source", "src":
					m.here = v
				case "target", "destination", "dst":
					m.inside = v
				case "readonly", "ro":
					m.here = ""
				}
			}
			out = append(out, m)
		}
	}
	return out
}

// mounted turns paths inside a container into those of this machine that stand behind them, in all runs from first on. What
// such a run does, it does here.
func (w *walker) mounted(first int, list []mount) {
	for _, m := range list {
		if m.here == "" || m.inside == "" {
			continue
		}
		named := strings.IndexByte("/~.$", m.here[0]) < 0 // a volume, which outlives the container
		inside := strings.TrimSuffix(m.inside, "/")
		for k := first; k < len(w.cmd.Runs); k++ {
			r := &w.cmd.Runs[k]
			args := r.Args
			for j := range args {
				rest, ok := strings.CutPrefix(args[j].Text, inside)
				if !ok || rest != "" && rest[0] != '/' || inside == "" && rest == "" {
					continue
				}
				if named {
					r.Place = PlaceContainer
					continue
				}
				if &args[0] == &r.Args[0] { // the words belong to the typed line as well
					r.Args = append([]Word(nil), args...)
				}
				r.Args[j].Text = strings.TrimSuffix(m.here, "/") + rest
				if r.Args[j].Text == "" {
					r.Args[j].Text = "/"
				}
				r.Args[j].Open = r.Args[j].Open || strings.HasPrefix(m.here, "$")
				r.Place = PlaceHere
			}
		}
	}
}
