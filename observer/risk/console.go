package risk

import (
	"encoding/hex"
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// Programs that talk to a server take statements of its language: behind an option, as a word, or on their input. What the
// statement does is said by its first word, whatever the server.

// statementOptions are long options behind which a statement stands.
var statementOptions = wordset.Of(`--eval --execute --exec --command --query --sql --statement --cmd --run --expr --expression
	--script --code --commands --statements -exec -command -query -sql`)

// shortStatementOptions are the same in short; what they mean differs, so that more is asked of the text.
var shortStatementOptions = wordset.Of(`-e -c -q -Q -ex -v`)

// consoleWords are sub-commands that open a console.
var consoleWords = wordset.Of(`sql shell console repl cli query exec eval run command cmd client`)

// console judges statements for a server that no rule knows.
func (a *assessor) console() {
	r := a.at
	if len(r.Args) == 0 && !r.Stdin.Known || noTools.Has(r.Name) || noTools.Has(sameAs[r.Name]) || shells.Has(r.Name) || interpreters.Has(r.Name) {
		return
	}
	talks, asked := consoleName(r.Name), false
	for i := range r.Args {
		asked = asked || i < 3 && consoleWords.Has(r.Args[i].Text)
	}
	talks = talks || asked
	for i := range r.Args {
		t := r.Args[i].Text
		before := r.Arg(i - 1)
		if opt, value, ok := strings.Cut(t, "="); ok && statementOptions.Has(opt) {
			t, before = value, opt
		}
		if !strings.ContainsAny(t, " (") {
			continue
		}
		switch {
		case statementOptions.Has(before):
			a.statements(t, true)
		case shortStatementOptions.Has(before):
			a.statements(t, talks)
		case i == 0 || before == "" || before[0] != '-':
			if asked {
				a.statements(t, true)
			} else if upperStatement(t) {
				a.sql(t)
			}
		}
	}
	if r.Stdin.Known && talks {
		a.statements(r.Stdin.Text, true)
	}
}

// deepStatement judges statements whose verb stands behind a subject: manage truncate ns prod, acr purge --ago 0d.
func (a *assessor) deepStatement(words []string, sure bool) {
	for i := 0; i < 3 && i < len(words); i++ {
		w := strings.ToLower(words[i])
		if end := strings.IndexAny(w, ":="); end > 0 {
			w = w[:end]
		}
		switch {
		case sure && i == 0 && plainVerb(w) && len(w) > 3 && affixed(w):
			a.hit("tool.destroy")
		case w == "truncate" || w == "purge" || w == "destroy" || w == "wipe" || w == "drop":
			if sure && i > 0 || i+1 < len(words) && owned.Has(strings.TrimSuffix(strings.ToLower(words[i+1]), "s")) {
				a.hit("tool.destroy")
			}
		}
	}
}

// sentStatements judges SQL that a request carries, in its address or in what it sends.
func (a *assessor) sentStatements(r *shellparse.Run) {
	for i := range r.Args {
		t := r.Args[i].Text
		if !anyIn(t, []string{"DROP", "TRUNCATE", "DELETE", "ALTER", "UPDATE"}) || len(t) > maxStatements {
			continue
		}
		t = plainQuery(t)
		for part := range strings.FieldsFuncSeq(t, func(c rune) bool { return strings.ContainsRune(`&?="'`, c) }) {
			if part = strings.TrimLeft(part, " "); statementVerb(part) && part[0] >= 'A' && part[0] <= 'Z' {
				a.sql(part)
			}
		}
	}
}

// plainQuery undoes the escapes of a web address: %20 and + are blanks. What is no escape stays. Package net/url would do the
// same, and is more than a person at the prompt shall wait for.
func plainQuery(t string) string {
	if !strings.ContainsAny(t, "%+") {
		return t
	}
	b := make([]byte, 0, len(t))
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(t):
			if x, err := hex.DecodeString(t[i+1 : i+3]); err == nil {
				b, i = append(b, x...), i+2
				continue
			}
			b = append(b, c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// consoleName reports whether a program's name says that it talks to a server: bconsole, foo-cli, barsh, bazsql.
func consoleName(name string) bool {
	for _, s := range [...]string{"-cli", "cli", "info", "adm", "console", "-shell", "shell", "-client", "sql", "sqlsh", "-repl", "-db", "db"} {
		if strings.HasSuffix(name, s) && len(name) > len(s) {
			return true
		}
	}
	return false
}

// upperStatement reports whether a text is SQL written as in manuals, which prose is not.
func upperStatement(t string) bool {
	for _, s := range [...]string{"DROP TABLE ", "DROP DATABASE ", "DROP SCHEMA ", "DROP KEYSPACE ", "TRUNCATE ", "DELETE FROM ",
		"DROP COLLECTION ", "DROP INDEX ", "DROP USER ", "DROP GRAPH ", "DROP BUCKET ", "DROP STREAM ", "REMOVE TABLE ",
		"REMOVE DATABASE ", "REMOVE NAMESPACE "} {
		if strings.HasPrefix(t, s) {
			return true
		}
	}
	return false
}

// maxStatements bounds the text that is taken apart into statements.
const maxStatements = 16 << 10

// statements judges statements of an unknown language; sure says that the text is one for certain.
func (a *assessor) statements(text string, sure bool) {
	if len(text) > maxStatements {
		text = text[:maxStatements]
	}
	flat := strings.ReplaceAll(text, " ", "")
	if anyIn(flat, wipers) {
		a.hit("app.data-delete")
	}
	for stmt := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == '\n' }) {
		stmt = strings.TrimLeft(stmt, " \t.:/\\@!|>")
		if statementVerb(stmt) {
			a.sql(stmt)
			continue
		}
		words := strings.Fields(stmt)
		if len(words) == 0 {
			continue
		}
		if a.deepStatement(words, sure); !sure {
			continue
		}
		verb := strings.ToLower(strings.TrimRight(words[0], "(){},"))
		switch verb {
		case "flushall", "flushdb", "flush_all", "dropdatabase", "factoryreset", "factory-reset", "nuke", "wipe":
			a.hit("tool.destroy")
		case "drop", "truncate", "purge", "destroy", "erase", "delete", "deleteall", "rmr":
			if len(words) > 1 {
				a.hit("tool.destroy")
			}
		case "remove", "rm", "reset", "clear":
			if len(words) > 1 && owned.Has(strings.TrimSuffix(strings.ToLower(words[1]), "s")) {
				a.hit("tool.destroy")
			}
		}
	}
}
