package risk

import (
	"regexp"
	"strings"
	"sync"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// Program text of another language is not parsed: what its calls are named says what they do in nearly all libraries.

// calls judges the names of the calls in a program text, and the statements in its constants.
func (a *assessor) calls(code string) {
	if anyIn(code, losingStems) && losesByName(code) {
		a.hit("app.data-delete")
	}
	if anyIn(code, executors) {
		for text := range constants(code) {
			if statementVerb(text) {
				a.sql(text)
			}
		}
	}
	if anyIn(code, removerStems) {
		a.removedByName(code)
	}
}

// executors are parts of the names of calls that hand a statement to a database.
var executors = []string{"execute", "exec(", "exec ", "query", "->do(", "prepare", ".run(", ".sql(", "raw(", "statement",
	"unsafe(", "cursor", "read_sql", "command(", "Exec("}

// losingStems begin the names of calls that lose something; they are cheap to look for.
var losingStems = []string{"drop", "Drop", "delete", "Delete", "destroy", "Destroy", "terminate", "Terminate", "purge", "Purge",
	"truncate", "Truncate", "flush", "wipe"}

// losesByName finds a call such as drop_database, terminateInstances, DeleteStackCommand or indices.delete.
func losesByName(code string) bool {
	for at := 0; at < len(code); {
		if !isWordByte(code[at]) {
			at++
			continue
		}
		end := at
		for end < len(code) && isWordByte(code[end]) {
			end++
		}
		called := end < len(code) && (code[end] == '(' || code[end] == '!')
		member := at > 0 && (code[at-1] == '.' || code[at-1] == '>' || code[at-1] == ':') || at > 4 && code[at-4:at] == "new "
		if called && member && losingName(code[at:end]) {
			return true
		}
		at = end
	}
	return ownedCalls().MatchString(code)
}

// losingName reports whether a name is a verb that loses something, followed by what is lost.
func losingName(name string) bool {
	words := nameWords(name)
	if len(words) < 2 {
		return len(words) == 1 && (words[0] == "flushall" || words[0] == "flushdb" || words[0] == "dropdatabase")
	}
	switch words[0] {
	case "drop", "delete", "destroy", "terminate", "purge", "truncate", "wipe", "flush", "batch":
	default:
		return false
	}
	if words[0] == "batch" && words[1] != "delete" {
		return false
	}
	for _, w := range words[1:] {
		if keptThings.Has(strings.TrimSuffix(w, "s")) {
			return true
		}
	}
	return false
}

// keptThings are what such names end in: things that hold data of others, or are used by others.
var keptThings = wordset.Of(`database db table collection bucket instance stack cluster index indice indexe keyspace stream topic queue
	volume snapshot repo repository project namespace droplet server vm function domain zone schema all tenant account org
	organization vault deployment service group`)

// nameWords parts a name in snake case or camel case into its words, in lower case.
func nameWords(name string) []string {
	var out []string
	start := 0
	for i := 1; i <= len(name); i++ {
		if i == len(name) || name[i] == '_' || name[i] >= 'A' && name[i] <= 'Z' && (name[i-1] < 'A' || name[i-1] > 'Z') {
			if w := strings.Trim(name[start:i], "_"); w != "" {
				out = append(out, strings.ToLower(w))
			}
			start = i
		}
	}
	return out
}

// ownedCalls matches a call that deletes what the one before it named: indices.delete(…), Bucket("x").delete().
var ownedCalls = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(databases?|tables?|buckets?|instances?|stacks?|clusters?|indices|keyspaces?|namespaces?|projects?|volumes?|` +
		`snapshots?|droplets?|servers?|repos|repositories|objects|collections?|topics?|queues?)(\([^()]{0,80}\))?(\.all(\(\))?)?\.` +
		`(delete|drop|destroy|terminate|purge|truncate|delete_all|destroy_all)[!(]`)
})

// constants yields the quoted texts of a program.
func constants(code string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for len(code) > 0 {
			i := strings.IndexAny(code, "'\"`")
			if i < 0 {
				return
			}
			mark := code[i : i+1]
			if strings.HasPrefix(code[i:], `"""`) || strings.HasPrefix(code[i:], `'''`) {
				mark = code[i : i+3]
			}
			end := strings.Index(code[i+len(mark):], mark)
			if end < 0 {
				return
			}
			if !yield(code[i+len(mark) : i+len(mark)+end]) {
				return
			}
			code = code[i+len(mark)+end+len(mark):]
		}
	}
}

// quotedAt reports whether a position lies inside a quoted text of a program.
func quotedAt(code string, at int) bool {
	var open byte
	for i := 0; i < at; i++ {
		switch c := code[i]; {
		case c == '\\':
			i++
		case open == 0 && (c == '\'' || c == '"' || c == '`'):
			open = c
		case c == open:
			open = 0
		}
	}
	return open != 0
}

// statementVerb reports whether a text begins like a statement of SQL that loses something.
func statementVerb(text string) bool {
	text = strings.TrimLeft(text, " \t\n(")
	verb, rest, ok := strings.Cut(text, " ")
	if !ok || len(rest) < 2 {
		return false
	}
	up := strings.ToUpper(rest)
	next, _, _ := strings.Cut(up, " ")
	switch strings.ToUpper(verb) {
	case "DROP", "ALTER":
		return sqlObjects.Has(next)
	case "TRUNCATE":
		switch next {
		case "THE", "A", "AN", "TO", "THIS", "ALL", "AT", "LONG", "TEXT":
			return false
		}
		return true
	case "UPDATE":
		return strings.Contains(up, " SET ")
	case "GRANT":
		return strings.Contains(up, " TO ")
	case "DELETE":
		return next == "FROM"
	}
	return false
}

// sqlObjects are what statements drop and alter.
var sqlObjects = wordset.Of(`TABLE DATABASE SCHEMA KEYSPACE INDEX USER ROLE VIEW SYSTEM COLLECTION TABLESPACE SEQUENCE FUNCTION TRIGGER
	PROCEDURE OWNED STREAM TOPIC BUCKET GRAPH CATALOG WAREHOUSE ACCOUNT MATERIALIZED EXTENSION TYPE DOMAIN POLICY PUBLICATION
	SUBSCRIPTION PLUGGABLE CLUSTER NAMESPACE LOGIN SERVER CONSTRAINT PARTITION RETENTION SERIES MEASUREMENT SHARD SPACE TAG EDGE
	STAGE PIPE TASK SHARE INTEGRATION SOURCE SINK CONNECTOR`)

// removerStems are parts of the names of calls that remove files; they are cheap to look for.
var removerStems = []string{"rm", "emove", "elete", "nlink", "rase", "wipe", "Trash", "trash"}

// removedByName judges calls that remove what a constant path names: rm("/etc"; recursive = true), File.rm_rf!("/").
func (a *assessor) removedByName(code string) {
	for at := 0; at < len(code); {
		i := strings.IndexAny(code[at:], "'\"`")
		if i < 0 {
			return
		}
		i += at
		end := strings.IndexByte(code[i+1:], code[i])
		if end < 0 {
			return
		}
		text := code[i+1 : i+1+end]
		at = i + end + 2
		if text == "" || text[0] != '/' && text[0] != '~' || !removesBefore(code[max(0, i-64):i]) {
			continue
		}
		if p := placeOf(shellparse.Word{Text: text}, ""); p >= placeHome || p == placeVital && text[0] == '/' {
			a.hit("code.foreign-destroy")
			return
		}
	}
}

// removesBefore reports whether the text before a constant is the head of a call that removes.
func removesBefore(head string) bool {
	if i := strings.LastIndexAny(head, ";\n{}"); i >= 0 {
		head = head[i+1:]
	}
	head = strings.TrimRight(head, " (:[,")
	for _, wrap := range [...]string{"atPath", "at", "URL", "fileURLWithPath", "File", "Path", "new File", "path", "p", "of"} {
		head = strings.TrimRight(strings.TrimSuffix(head, wrap), " (:[,.")
	}
	head = strings.TrimSuffix(head, "!")
	start := len(head)
	for start > 0 && isWordByte(head[start-1]) {
		start--
	}
	words := nameWords(head[start:])
	if len(words) == 0 {
		return false
	}
	switch words[0] {
	case "rm", "rmtree", "rmrf", "remove", "delete", "unlink", "rimraf", "erase", "wipe", "trash", "deltree", "rmdir":
		return true
	}
	return false
}
