package observer

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Ignore decides which commands are not kept at all.
type Ignore struct {
	commands, folders []*regexp.Regexp
}

// ParseIgnore reads patterns. A pattern is compared with the whole command, or, when it begins with / or ~ or "folder:",
// with the working directory: it then holds for the folders beneath as well. * stands for any text, ? for one character.
// "command:" in front makes any pattern one for commands.
func ParseIgnore(patterns []string) (*Ignore, error) {
	var g Ignore
	for _, p := range patterns {
		command, isCommand := strings.CutPrefix(p, "command:")
		folder, isFolder := strings.CutPrefix(p, "folder:")
		switch {
		case strings.TrimSpace(command) == "" || strings.TrimSpace(folder) == "":
			return nil, fmt.Errorf("the ignore pattern %q is empty and would ignore nothing: remove it", p)
		case isCommand:
			g.commands = append(g.commands, glob(command, ""))
		case isFolder || strings.HasPrefix(p, "/") || p == "~" || strings.HasPrefix(p, "~/"):
			if rest, ok := strings.CutPrefix(folder, "~"); ok && (rest == "" || rest[0] == '/') {
				home, err := os.UserHomeDir()
				if err != nil {
					return nil, fmt.Errorf("the ignore pattern %q needs a home folder: %w", p, err)
				}
				folder = home + rest
			}
			folder = filepath.Clean(folder)
			if folder == "/" {
				folder = ""
			}
			g.folders = append(g.folders, glob(folder, "(/.*)?"))
		default:
			g.commands = append(g.commands, glob(p, ""))
		}
	}
	return &g, nil
}

// Match reports whether the command, typed in the folder cwd, is to be left out.
func (g *Ignore) Match(command, cwd string) bool {
	for _, r := range g.commands {
		if r.MatchString(command) {
			return true
		}
	}
	for _, r := range g.folders {
		if r.MatchString(cwd) {
			return true
		}
	}
	return false
}

func glob(p, tail string) *regexp.Regexp {
	p = regexp.QuoteMeta(p)
	p = strings.ReplaceAll(p, `\*`, `.*`)
	p = strings.ReplaceAll(p, `\?`, `.`)
	return regexp.MustCompile(`(?s)\A` + p + tail + `\z`) // built from quoted text, so it always compiles
}
