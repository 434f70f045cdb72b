package redact

import (
	"strings"

	"github.com/caro-mesh/caro-node/observer/wordset"
)

// maxDepth bounds how far commands within quoted texts within commands are read.
const maxDepth = 3

// read looks at a text as commands and marks what is secret by its place.
func (f *finder) read(src *source) {
	cmds := lex(src)
	into := make([]int, len(cmds)) // the command that each one's output is piped to, plus one
	for k := range cmds {
		for p := cmds[k].fedFrom; p < cmds[k].fedTo; p++ {
			into[p] = k + 1
		}
	}
	accessKey := false
	for _, s := range f.spans {
		accessKey = accessKey || s.kind == kindAWSAccessKey
	}
	outer := f.printed
	f.printed = printedWords(cmds)
	defer func() { f.printed = outer }()
	f.dialogue(cmds)
	for k := range cmds {
		cmd := &cmds[k]
		if cmd.comment {
			f.text(&cmd.words[0], context{})
			continue
		}
		r := reading{finder: f, src: src, cmd: cmd, heads: heads(cmd.words, f.known), piped: into[k] > 0, accessKey: accessKey}
		r.command()
		r.formatted(cmd)
		r.fed(cmds)
	}
}

// known reports a name that some rule is about.
func (f *finder) known(name string) bool {
	return len(f.rules.tools[name]) > 0 || len(f.rules.feeds[name]) > 0 || shells.Has(name)
}

// text looks for pairs and addresses in a word.
func (f *finder) text(w *word, c context) {
	f.addresses(w)
	f.pairs(w, c)
}

// reading is one simple command and what is known about it.
type reading struct {
	*finder
	src       *source
	cmd       *command
	heads     []head
	piped     bool
	accessKey bool // an AWS access key ID stands in the command
}

func (r *reading) command() {
	ws := r.cmd.words
	prints, runs, speaks, client, sed, objects := false, false, false, false, false, false
	for _, h := range r.heads {
		prints = prints || printers.Has(h.name)
		runs = runs || shells.Has(h.name)
		speaks = speaks || speakers.Has(h.name)
		client = client || clients.Has(h.name)
		objects = objects || runners.Has(h.name)
		sed = sed || h.name == "sed" || h.name == "gsed" || h.name == "perl"
		for t := range r.rules.tools[h.name] {
			r.tool(&r.rules.tools[h.name][t], ws[h.at+1:h.to])
		}
	}
	alias := len(r.heads) > 0 && r.heads[0].name == "alias"
	governing := -1
	searches := false
	for i := range ws {
		w := &ws[i]
		if governing+1 < len(r.heads) && r.heads[governing+1].at == i {
			governing++
			searches = looksForText(ws, r.heads[governing])
		}
		c := context{search: searches, naked: client, runs: runs, objects: objects, file: prints && (r.cmd.writes || r.piped), header: isHeaderWord(ws, i), whole: r.assigns(i)}
		if k := strings.IndexByte(w.text, '='); alias && i > 0 && k > 0 { // its value is a command
			if body := w.tail(k + 1); body.data() {
				r.inside(&body, true)
				continue
			}
		}
		if sed {
			c.script = scriptDelimiter(w.text)
		}
		if speaks && isProse(ws, i) {
			r.addresses(w)
			continue
		}
		switch {
		case r.src.parent != nil && !r.src.runs:
		case i > 0 && refersToStore.Has(ws[i-1].text):
		case r.takesPair(w.text):
			r.addresses(w) // the user part is none
		default:
			r.text(w, c)
		}
		r.option(i, searches)
		if r.accessKey && isSecretAccessKey(w.text) {
			r.mark(w, 0, len(w.text), kindAWSSecretKey)
			r.spans[len(r.spans)-1].certain = true
		}
		if !searches {
			r.inside(w, runs || r.src.runs && w.data() && i > 0 && ws[i-1].text == "-c")
		}
	}
	r.setting()
	for i := range r.cmd.stdin {
		w := &r.cmd.stdin[i]
		r.text(w, context{search: searches, file: true})
		if strings.HasSuffix(r.cmd.target, ".pgpass") {
			r.pgpass(w)
		}
		if !searches {
			r.inside(w, runs || strings.HasPrefix(w.text, "#!") || strings.HasSuffix(r.cmd.target, ".sh"))
		}
	}
	if strings.HasSuffix(r.cmd.target, ".pgpass") {
		for i := 1; i < len(ws); i++ {
			r.pgpass(&ws[i])
		}
	}
}

// assigns reports an assignment whose value is all that stands behind "=": before a command, of export and its like, of
// env, or a variable given to a container.
func (r *reading) assigns(i int) bool {
	ws := r.cmd.words
	if !isAssignment(ws[i].text) {
		return false
	}
	if len(r.heads) == 0 || i < r.heads[0].at || i > 0 && (ws[i-1].text == "-e" || ws[i-1].text == "--env") {
		return r.src.parent == nil || r.src.runs
	}
	for _, h := range r.heads {
		if h.at < i && i < h.to && declarers.Has(h.name) {
			return true
		}
	}
	return false
}

// looksForText reports a command whose arguments are patterns.
func looksForText(ws []word, h head) bool {
	return searchers.Has(h.name) || h.name == "git" && h.at+1 < len(ws) && (ws[h.at+1].text == "grep" || ws[h.at+1].text == "log")
}

// inside reads a quoted text as commands of its own.
func (r *reading) inside(w *word, runs bool) {
	if r.src.depth >= maxDepth || !w.data() || !strings.ContainsAny(w.text, " \t\n") || !r.interesting(w.text) {
		return
	}
	r.read(&source{text: w.text, parent: w, depth: r.src.depth + 1, runs: runs})
}

// interesting reports that a text holds a name or a tool of the rules.
func (f *finder) interesting(text string) bool {
	found := false
	f.rules.literals.scan(text, func(literal uint16, end int) {
		role := &f.rules.roles[literal]
		found = found || role.keyword || role.tool && toolEnds(text, end)
	})
	return found
}

// option marks the value of an option with a secret's name in the next word: --password VALUE.
func (r *reading) option(i int, searches bool) {
	ws := r.cmd.words
	text := ws[i].text
	if searches || i+1 >= len(ws) || len(text) < 3 || text[0] != '-' || len(text) > maxName || !isName(text) || ws[i].data() {
		return
	}
	value := &ws[i+1]
	if value.text == "" || value.text[0] == '-' {
		return
	}
	if word := strings.ToLower(text[1:]); text[1] != '-' && !strings.ContainsAny(word, "-_.") && text[1:] == word &&
		!passwordWords.Has(word) && !secretWords.Has(word) && !tokenWords.Has(word) {
		return // a one-letter option and its value: -pmysecret
	}
	n := classifyWhole(text)
	if n.class == classNone || n.toggle || n.kind == kindAPIKey && n.class == classWeak && isDigest(value.text) {
		return
	}
	for _, h := range r.heads {
		for k := range r.rules.tools[h.name] {
			t := &r.rules.tools[h.name][k]
			if has(t.pairList, text) || len(t.gluedList) > 0 && strings.HasPrefix(text, t.gluedList[0]) && len(t.gluedList[0]) == 2 {
				return
			}
		}
		if asksForPassword.Has(h.name) && n.class == classPassword || n.kind == kindSecret && (runners.Has(h.name) || h.name == "pulumi") && text == "--secret" {
			return
		}
	}
	p := placeWord
	if r.src.parent != nil && !r.src.runs && !notAWord(value.text) {
		return // prose about options
	}
	from := afterScheme(value.text, 0, len(value.text))
	if strings.HasPrefix(value.text, "pass:") { // openssl, apksigner
		from = len("pass:")
	}
	if value.secret(from, len(value.text), n.class, p, ' ', false) {
		r.mark(value, from, len(value.text), n.kind)
	}
}

// refersToStore are options whose values name=secret:version say where a secret is kept.
var refersToStore = wordset.Of("--set-secrets --update-secrets --remove-secrets --secrets")

// takesPair reports --option=user:secret of a tool that takes it so, in which the rule of the tool finds the secret.
func (r *reading) takesPair(text string) bool {
	option, _, found := strings.Cut(text, "=")
	if !found || option == "" || option[0] != '-' {
		return false
	}
	for _, h := range r.heads {
		for k := range r.rules.tools[h.name] {
			if has(r.rules.tools[h.name][k].pairList, option) {
				return true
			}
		}
	}
	return false
}

// isName reports text that consists of what names are made of.
func isName(s string) bool {
	for i := range len(s) {
		if !is(s[i], setIdent) {
			return false
		}
	}
	return true
}

// asksForPassword are the tools whose --password takes no value in the next word.
var asksForPassword = wordset.Of(`lpass gopass zenity kdialog yad mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlshow mariadb mariadb-dump mariadb-admin psql pg_dump
	pg_dumpall pg_restore createdb dropdb createuser dropuser pg_basebackup pg_isready vacuumdb reindexdb clusterdb`)

// setting marks the value in "config set NAME VALUE" and its relatives, fish's `set -x NAME VALUE` among them. The name
// stands soon behind the verb.
func (r *reading) setting() {
	ws := r.cmd.words
	if len(r.heads) == 0 || r.src.parent != nil && !r.src.runs {
		return
	}
	sets := settingTools.Has(r.heads[0].name)
	if r.heads[0].name == "rclone" {
		_, sets = behind(ws, "config")
	}
	if r.heads[0].name == "set" {
		// fish: set [options] NAME VALUE; further words make it a list.
		ops := operands(&toolRule{}, ws[r.heads[0].at+1:])
		if len(ops) != 2 {
			return
		}
	}
	left := 0 // operands that may still be a name
	for i := r.heads[0].at; i+1 < len(ws); i++ {
		text := ws[i].text
		if i < r.heads[0].at+8 && setters.Has(strings.ToLower(text)) {
			left = 3
			continue
		}
		if text != "" && text[0] != '-' {
			left--
		}
		if left < 0 && !sets || ws[i].data() && !isName(strings.ReplaceAll(text, ":", "")) || strings.HasPrefix(text, marker) || text == "" || text[0] == '-' || len(text) > 2*maxName || strings.IndexByte(text, '=') >= 0 {
			continue
		}
		if k := strings.LastIndexAny(text, "/:"); k >= 0 {
			text = text[k+1:]
		}
		if verb, _, found := strings.Cut(text, "-"); found && switches.Has(verb) || verb == "set" && found {
			continue
		}
		if i > 0 && strings.HasSuffix(ws[i-1].text, "key-mgmt") || sets && i > 0 && ws[i-1].text == "config" {
			continue // a value; a subcommand
		}
		n := classify(text)
		value := &ws[i+1]
		if value.text == "=" {
			continue
		}
		if n.class < classWeak || n.class == classWeak && isDigest(value.text) || value.text == "" || value.text[0] == '-' {
			continue
		}
		if value.secret(0, len(value.text), n.class, placeWord, ' ', false) {
			r.mark(value, 0, len(value.text), n.kind)
		}
	}
}

// settingTools take names and values side by side as operands.
var settingTools = wordset.Of("nmcli rclone crudini dvc pppd")

var setters = wordset.Of(`set_network config configure set setenv put set-env config:set env:set variables:set secrets:set setx define write`)

// isHeaderWord reports the value of -H or --header.
func isHeaderWord(ws []word, i int) bool {
	text := ws[i].text
	if strings.HasPrefix(text, "-H") && len(text) > 2 || strings.HasPrefix(text, "--header=") {
		return true
	}
	if i == 0 {
		return false
	}
	switch ws[i-1].text {
	case "-H", "--header", "--headers", "--proxy-header", "-header", "--add-header", "--http-header", "-Headers":
		return true
	}
	return false
}

// isProse reports the message of a commit, the text of a pull request.
func isProse(ws []word, i int) bool {
	text := ws[i].text
	if strings.HasPrefix(text, "--message=") || strings.HasPrefix(text, "--title=") || strings.HasPrefix(text, "--body=") ||
		strings.HasPrefix(text, "-m") && len(text) > 2 && ws[i].text[1] == 'm' {
		return true
	}
	if i == 0 {
		return false
	}
	switch ws[i-1].text {
	case "-m", "--message", "-am", "-sm", "-Sm", "-sam", "--title", "--body", "--notes", "--description", "--subject":
		return true
	case "-t", "-b", "-n", "-d":
		return ws[0].text == "gh" && len(ws) > 1 && (ws[1].text == "pr" || ws[1].text == "issue" || ws[1].text == "release") ||
			ws[0].text == "glab" && len(ws) > 1 && (ws[1].text == "mr" || ws[1].text == "issue")
	}
	return false
}

// scriptDelimiter returns what separates the parts of a sed command s/a/b/, or 0.
func scriptDelimiter(text string) byte {
	if len(text) > 3 && (text[0] == 's' || text[0] == 'y') && !is(text[1], setWord) && strings.IndexByte(text[2:], text[1]) >= 0 {
		return text[1]
	}
	return 0
}

// isSecretAccessKey reports the form of the second half of an AWS key pair, which says nothing by itself.
func isSecretAccessKey(s string) bool {
	if len(s) != 40 || isHex(s) || !mixed(s) || s == strings.ToLower(s) {
		return false
	}
	for i := range len(s) {
		if !is(s[i], setB64) || s[i] == '=' {
			return false
		}
	}
	return true
}

// pgpass marks the last field of the lines host:port:database:user:password.
func (r *reading) pgpass(w *word) {
	for from := 0; from < len(w.text); {
		end := lineEnd(w.text, from)
		line := w.text[from:end]
		if strings.Count(line, ":") >= 4 {
			k := from
			for range 4 {
				k += strings.IndexByte(w.text[k:end], ':') + 1
			}
			if w.secret(k, end, classToken, placeSure, ' ', true) {
				r.mark(w, k, end, kindPassword)
			}
		}
		from = end + 1
	}
}
