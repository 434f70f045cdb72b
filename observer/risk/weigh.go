package risk

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// naming says whether a line names production, or something that is there to be thrown away.
type naming uint8

const (
	namesUnknown naming = iota
	namesNothing
	namesProduction
	namesScratch
)

// maxNamed bounds the text that is searched for such names.
const maxNamed = 8 << 10

// weighed raises the level of a loss of data where the line names production, and lowers it from critical where it names a
// test or a scratch copy.
func (a *assessor) weighed(level vocabulary.RiskLevel) vocabulary.RiskLevel {
	if level < vocabulary.RiskHigh {
		return level
	}
	if a.names == namesUnknown {
		a.names = nameOf(a.cmd.Text)
	}
	switch a.names {
	case namesProduction:
		return vocabulary.RiskCritical
	case namesScratch:
		return vocabulary.RiskHigh
	}
	return level
}

// tried reports whether a loss concerns a database that by its name is there for tests, which make it again.
func tried(id string, r *shellparse.Run) bool {
	if area, _, _ := strings.Cut(id, "."); area != "sql" && area != "search" && area != "mongo" && id != "app.database-reset" {
		return false
	}
	text := strings.ToLower(r.Line())
	if len(text) > maxNamed || production(text) {
		return false
	}
	for _, w := range [...]string{"test", "tests", "scratch", "sandbox", "playground", "throwaway"} {
		if standsAlone(text, w) {
			return true
		}
	}
	return false
}

// stopping are sub-commands and options that take a service out of use until somebody starts it again.
var stopping = wordset.Of(`stop disable mask down kill deallocate power-off poweroff suspend pause stop-instances stop-db-instance
	stop-db-cluster stop-task stop-environment remove rm shutdown onestop isolate offline halt --scale-to-zero terminate drain`)

// raised are the rules of level moderate that weigh more in production.
var raised = wordset.Of(`secret.store-read sql.restore app.migrate kubernetes.delete sql.delete service.stop cloud.change docker.remove
	tool.remove`)

// stops are those of [raised] that do so only where something is stopped or removed.
var stops = wordset.Of(`service.stop cloud.change docker.remove tool.remove`)

// inProduction reports whether a moderate finding weighs more because the line names production: a service that stops there
// is missed, and a secret that is shown there opens more.
func (a *assessor) inProduction(id string) bool {
	switch id {
	case "secret.store-read":
	case "sql.restore":
		return production(strings.ToLower(a.at.Line()))
	case "app.migrate":
		if !anyIn(a.at.Line(), []string{"downgrade", "rollback", "revert", "undo", " down"}) {
			return false
		}
	case "kubernetes.delete":
		if !a.at.Has("delete") {
			return false
		}
	case "sql.delete":
		if !strings.Contains(strings.ToUpper(a.at.Line()+a.at.Stdin.Text), "DELETE FROM") {
			return false
		}
	case "service.stop", "cloud.change", "docker.remove", "tool.remove":
		stops := false
		for i := range a.at.Args {
			stops = stops || stopping.Has(a.at.Args[i].Text)
		}
		if !stops {
			return false
		}
	default:
		return false
	}
	if a.names == namesUnknown {
		a.names = nameOf(a.cmd.Text)
	}
	return a.names == namesProduction
}

func nameOf(text string) naming {
	if len(text) > maxNamed {
		text = text[:maxNamed]
	}
	text = strings.ToLower(text)
	if production(text) {
		return namesProduction
	}
	for _, w := range [...]string{"test", "tests", "testing", "tmp", "scratch", "sandbox", "playground", "demo",
		"local", "localhost",
		"dev", "development", "throwaway", "staging", "ci"} {
		if standsAlone(text, w) {
			return namesScratch
		}
	}
	return namesNothing
}

// production reports whether a text in lower case names production: prod, db-prod, acmeprod, production, but not products.
func production(text string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], "prod")
		if i < 0 {
			return standsAlone(text, "prd")
		}
		at += i + len("prod")
		rest := strings.TrimPrefix(text[at:], "uction")
		if rest == "" || rest[0] < 'a' || rest[0] > 'z' {
			if len(rest) == len(text[at:]) || at == len("prod") || !isLetter(text[at-len("prod")-1]) {
				return true
			}
		}
	}
}

// standsAlone reports whether a word stands in a text without letters or digits beside it.
func standsAlone(text, word string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		start, end := at+i, at+i+len(word)
		folder := start > 0 && text[start-1] == '/' && end < len(text) && text[end] == '/' // /dev/null, /usr/local/bin
		if !folder && (start == 0 || !isLetter(text[start-1])) && (end == len(text) || !isLetter(text[end])) {
			return true
		}
		at = end
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// discarded reports whether a name says that it is not needed any more: debug_3, site.bak, try-tmp.
func discarded(base string) bool {
	if len(base) > 64 {
		return false
	}
	first := base
	if i := strings.IndexAny(base, "-_."); i > 0 {
		first = base[:i]
	}
	switch strings.ToLower(first) {
	case "tmp", "temp", "debug", "scratch", "junk", "trash", "foo", "bar":
		return len(first) < len(base)
	}
	if i := strings.LastIndexByte(base, '.'); i > 0 {
		switch strings.ToLower(base[i+1:]) {
		case "old", "tmp", "temp", "bak", "scratch", "copy", "orig":
			return true
		}
	}
	return false
}
