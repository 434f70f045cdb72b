package shellparse

import (
	"strings"
)

// resolveDir is where cd leads from dir; empty if that cannot be told.
func resolveDir(dir, to string) string {
	switch {
	case to == "-" || strings.HasPrefix(to, "$"):
		return ""
	case strings.HasPrefix(to, "/") || strings.HasPrefix(to, "~"):
		return Clean(to)
	case dir == "":
		return Clean(to)
	}
	return Clean(dir + "/" + to)
}

// Clean shortens a path without looking at the disk: "//", "." and ".." are resolved as far as the text allows.
// A leading ~ counts as a folder in a folder of /, so that ~/.. is "~/..".
func Clean(p string) string {
	if p == "" {
		return ""
	}
	if strings.IndexByte(p, '.') < 0 && !strings.Contains(p, "//") && !strings.HasSuffix(p, "/") {
		return p
	}
	rooted := p[0] == '/'
	out := make([]string, 0, 8)
	for _, part := range strings.Split(p, "/") {
		switch part {
		case "", ".":
		case "..":
			n := len(out)
			switch {
			case n > 0 && out[n-1] != ".." && !(n == 1 && strings.HasPrefix(out[0], "~")) &&
				!strings.HasPrefix(out[n-1], "$"):
				out = out[:n-1]
			case !rooted:
				out = append(out, part)
			}
		default:
			out = append(out, part)
		}
	}
	s := strings.Join(out, "/")
	if rooted {
		return "/" + s
	}
	if s == "" {
		return "."
	}
	if s[0] == '~' && p[0] != '~' {
		return "./" + s // a file that is called ~
	}
	return s
}
