package risk

import (
	"slices"
	"strings"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/observer/wordset"
)

// The rules here are about programs of which nothing is known but that they have sub-commands: most of them say plainly what
// they do.
var genericRules = []Rule{
	{
		ID: "tool.destroy", Level: high, data: true,
		Reason:     "The sub-command says that it deletes or destroys something.",
		Suggestion: "Look for a dry run in the tool's help, and list what goes first.",
	},
	{
		ID: "tool.remove", Level: moderate,
		Reason:     "The sub-command says that it removes, stops or resets something.",
		Suggestion: "Look for a dry run in the tool's help, and list what goes first.",
	},
}

// destroying are sub-commands that lose something for good.
var destroying = wordset.Of(`delete del destroy purge wipe erase nuke drop terminate zeroize undeploy teardown tear-down decommission obliterate
	factory-reset factoryreset delete-all deleteall destroy-all remove-all purge-all drop-all wipe-all rmall reset-all flush-all
	flushall flushdb truncate zap eraseall wipe-all erase-flash dropdb drop-db db:drop db:reset db:wipe db:purge db:nuke reset-db resetdb wipedb clear-all forget shred
	delete-batch bulk-delete deprovision deregister destroy! stack:delete infra:destroy nuke-db clean-db unpublish yank`)

// removing are sub-commands that take something away that is of smaller scope or can be brought back.
var removing = wordset.Of(`remove rm rmi uninstall reset flush prune evict revoke disable stop kill restart clear clean gc unlink detach unregister
	expire rollback revert drain cordon suspend pause down shutdown reload cleanup undo cancel abort invalidate rotate`)

// asking are sub-commands that only look, make or try something; what stands behind them is a name.
var lookingVerbs = wordset.Of(`list ls get show describe status info view search find logs log help version diff plan preview check test tests
	lint validate explain inspect count stats top tree watch tail cat print query select read dump export backup create add new init
	build run exec start up install apply push pull clone login logout auth whoami doctor config set edit open cp copy mv move rename sync
	upload download import fmt format generate gen docs completion compile serve dev bench benchmark trace debug attach connect ssh shell
	g migration commit tag fetch merge checkout branch grep echo ping scan sign verify encrypt decrypt convert render template why outdated audit routes console runner`)

// makingVerbs are those of [lookingVerbs] that change something.
var makingVerbs = wordset.Of(`create add new init build run exec start install apply push set edit up import upload sync mv move rename serve`)

// forcing are options with which a sub-command of smaller scope is not small any more.
var forcing = []string{"--all", "-A", "--force", "--yes", "--recursive", "--purge", "--no-prompt", "--confirm", "--hard",
	"--all-namespaces", "--all-users", "--all-projects", "--everything", "--force-delete", "--auto-approve", "--noconfirm", "--cascade", "--yes-i-really-mean-it"}

// noTools are programs whose words are data and no sub-commands, or that have rules which say more.
var noTools = wordset.Of(`echo printf print cat less more man info tldr whatis apropos which whereis type command cd pushd popd ls mkdir rmdir touch cp
	mv ln vim vi nvim nano emacs code subl open xdg-open bat head tail cut sort uniq tr wc tee test [ [[ export set unset alias declare local
	say notify-send logger mail osascript espeak banner figlet cowsay true false sleep wait date cal read select source . eval exec time
	pytest jest vitest rspec phpunit go cargo npm-run tmux screen git hg svn gh-copilot task todo todo.sh taskwarrior timew watson calc bc expr
	python python3 node ruby perl php java javac gcc cc clang make ssh scp rsync curl wget httpie http xh dig host nslookup ping whois
	ag rg ack grep egrep fgrep zgrep locate find fd fzf sk jq yq xq awk sed diff patch file stat tar zip unzip gzip gunzip
	help functions unalias whence unfunction hash rehash history fc jobs fg bg kill pkill killall nice nohup env sudo doas su watch entr xargs parallel basename dirname realpath
	convert magick ffmpeg yt-dlp pandoc latexmk gpg ssh-keygen openssl redis-cli mongosh mongo mysql psql sqlite3 kubectl docker helm
	terraform systemctl service launchctl npm yarn pnpm bun pip brew apt apt-get dnf yum pacman snap flatpak crontab ip iptables nft
	nmcli defaults aws gcloud az sops autoload bindkey zstyle compdef complete abbr funcsave function string math commandline contains`)

// namedTool judges the sub-commands of programs without rules of their own.
func (a *assessor) namedTool() {
	r := a.at
	if len(r.Args) == 0 {
		a.console()
		return
	}
	if a.runner(r) || noTools.Has(r.Name) || noTools.Has(sameAs[r.Name]) || shells.Has(r.Name) || interpreters.Has(r.Name) || r.Guess && len(r.Args) > 12 {
		return
	}
	for i := range r.Args {
		switch t := r.Args[i].Text; {
		case strings.HasPrefix(t, "--dry") && !strings.HasSuffix(t, "=none") &&
			!strings.HasSuffix(t, "=false"), t == "--noop",
			t == "--check", t == "--plan", t == "--simulate", t == "--whatif", t == "--what-if", t == "--preview":
			return
		}
	}
	first, _ := r.Operand(0)
	if (!lookingVerbs.Has(first) || makingVerbs.Has(first)) && namedForIt(r.Name) && (r.Name != "aws-nuke" || forReal(r) || r.Has("--force")) {
		a.hit("tool.destroy")
		return
	}
	if !lookingVerbs.Has(first) || makingVerbs.Has(first) {
		if a.destroyingOption(); a.hits > a.shown {
			return
		}
	}
	verbs, precious := 0, false
	for i := 0; i < len(r.Args) && verbs < 4; i++ {
		t := r.Args[i].Text
		if t == "" || t[0] == '-' || i > 0 && r.Args[i-1].Text != "" && r.Args[i-1].Text[0] == '-' && (verbs > 0 ||
			!destroying.Has(t)) {
			continue
		}
		verbs++
		switch {
		case !plainVerb(t):
			return
		case strings.Contains(t, "reset") && strings.Contains(t, "password"):
			a.hit("account.password-set")
			return
		case destroying.Has(t) || affixed(t):
			a.hit("tool.destroy")
			return
		case removing.Has(t), removing.Has(t[strings.LastIndexByte(t, ':')+1:]):
			if hasOption(r, []string{"-r", "-R", "--recursive"}) && a.remoteTree(r) {
				return
			}
			next, _ := r.Operand(i + 1)
			precious = precious || owned.Has(strings.TrimSuffix(next, "s"))
			a.pick(hasOption(r, forcing) || hasOption(r, []string{"-y"}) || precious && taking.Has(t) || forced(r) || forReal(r), "tool.destroy", "tool.remove")
			return
		case lookingVerbs.Has(t):
			verbs = 4
		}
		precious = precious || owned.Has(strings.TrimSuffix(t, "s"))
	}
	if a.hits == a.shown {
		a.grantsAll()
		a.console()
	}
}

// optionWords parts an option's name into its words, in lower case.
func optionWords(name string) []string {
	return nameWords(strings.ReplaceAll(name, "-", "_"))
}

// namedForIt reports whether a program's name says that it destroys: cloud-nuke, db_wipe.
func namedForIt(name string) bool {
	for w := range strings.FieldsFuncSeq(strings.ToLower(name), func(c rune) bool { return c == '-' || c == '_' || c == '.' }) {
		switch w {
		case "nuke", "wipe", "wiper", "destroy", "destroyer", "eraser", "obliterate", "teardown", "decommission":
			return true
		}
	}
	return false
}

// remoteTree judges a recursive removal of what an address of a store names.
func (a *assessor) remoteTree(r *shellparse.Run) bool {
	for i := range r.Args {
		if t := r.Args[i].Text; strings.Contains(t, "://") {
			a.pick(wholeBucket(t), "cloud.destroy", "tool.destroy")
			return true
		}
	}
	return false
}

// taking are those of [removing] that take a thing away, and do not merely stop it.
var taking = wordset.Of(`remove rm reset clear prune evict clean`)

// forced reports whether an option of another form forces: --type=force, --mode hard.
func forced(r *shellparse.Run) bool {
	for i := range r.Args {
		t := r.Args[i].Text
		if strings.HasPrefix(t, "-") && (strings.HasSuffix(t, "=force") || strings.HasSuffix(t, "=hard")) {
			return true
		}
	}
	return false
}

// wipingOptions are parts of options with which a program destroys, whatever it is.
var wipingOptions = wordset.Of(`destroy wipe nuke erase eraseall zap purge obliterate teardown zeroize masserase decommission`)

// sparing are parts of options that say the opposite, or that name something else.
var sparing = wordset.Of(`no not skip keep dont without never disable prevent avoid cap caps on after before if unused cache builddir`)

// destroyingOption judges options such as --nuke, --wipe-data or --delete-all of programs that no rule knows.
func (a *assessor) destroyingOption() {
	r := a.at
	if r.Name == "meson" {
		return
	}
	for i := range r.Args {
		t := r.Args[i].Text
		if t == "--" {
			return
		}
		if len(t) < 5 || t[0] != '-' {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimLeft(t, "-"), "=")
		if value == "false" || value == "no" || value == "0" {
			continue
		}
		wipes, spares, deletes, all := false, false, false, false
		for _, w := range optionWords(name) {
			wipes = wipes || wipingOptions.Has(w)
			spares = spares || sparing.Has(w)
			deletes = deletes || w == "delete" || w == "remove" || w == "drop"
			all = all || w == "all" || w == "everything" || owned.Has(strings.TrimSuffix(w, "s"))
		}
		switch {
		case spares || len(name) > 40:
		case wipes, deletes && all:
			a.hit("tool.destroy")
			return
		case deletes && strings.HasPrefix(t, "--") && !strings.ContainsAny(name, "-_"):
			a.hit("tool.remove")
		}
	}
}

// plainVerb reports whether a word can be a sub-command: letters with hyphens, colons or underscores.
func plainVerb(t string) bool {
	for i := range len(t) {
		if c := t[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != ':' && c != '_' && (i == 0 ||
			c < '0' || c > '9') {
			return false
		}
	}
	return len(t) < 40
}

// owned are things that are lost when a sub-command such as delnode or dropdb names them.
var owned = wordset.Of(`node user group vol volume disk zone db database host vm pool snapshot snap image repo project bucket cluster
	server instance org organization tenant namespace ns stack keyspace schema table collection index topic queue domain site datastore
	extent backup vault droplet tablet shard replica member osd`)

// losing are verbs that such a sub-command begins with.
var losing = []string{"delete", "del", "rm", "remove", "destroy", "drop", "purge", "wipe", "erase", "terminate"}

// Verbs lists the sub-commands that are dangerous whatever the program, sorted, as far as they can be listed.
func Verbs() []string {
	out := destroying.Words()
	for _, verb := range losing {
		for _, thing := range owned.Words() {
			out = append(out, verb+thing, verb+thing+"s")
		}
	}
	slices.Sort(out)
	return out
}

// Removers lists the sub-commands that are dangerous beside one of [Forcing], whatever the program.
func Removers() []string { return removing.Words() }

// Forcing lists the words beside which a sub-command of [Removers] is dangerous.
func Forcing() []string {
	return append([]string{"-y", "force", "hard", "--no-dry-run", "--nodry-run", "--dry-run", "DRY_RUN", "DRYRUN", "dry_run", "-r", "-R"}, forcing...)
}

// Takers lists the sub-commands that are dangerous beside one of [Owned], whatever the program.
func Takers() []string { return taking.Words() }

// Owned lists the things that a sub-command of [Takers] loses, in the singular and the plural.
func Owned() []string {
	out := owned.Words()
	for _, w := range owned.Words() {
		out = append(out, w+"s")
	}
	return out
}

// affixed reports whether a sub-command begins or ends with a word that destroys: delete-user, postgresql-delete, keys:destroy.
func affixed(t string) bool {
	for _, verb := range losing {
		rest, ok := strings.CutPrefix(strings.ToLower(t[:1])+t[1:], verb)
		if ok && rest != "" && (rest[0] >= 'A' && rest[0] <= 'Z' || owned.Has(strings.TrimSuffix(rest, "s"))) {
			return true
		}
	}
	for _, sep := range [...]byte{'-', ':', '_'} {
		i := strings.IndexByte(t, sep)
		if i <= 0 {
			continue
		}
		first, last := t[:i], t[strings.LastIndexByte(t, sep)+1:]
		if first == "delete" || first == "destroy" || first == "purge" || first == "drop" || first == "wipe" ||
			first == "terminate" || first == "zap" || first == "nuke" || first == "obliterate" || first == "zeroize" ||
			first == "erase" || first == "forget" {
			return true
		}
		if (first == "rm" || first == "remove" || first == "del") && owned.Has(strings.TrimSuffix(last, "s")) {
			return true
		}
		if last == "delete" || last == "destroy" || last == "purge" || last == "wipe" || last == "terminate" ||
			last == "drop" || last == "zap" || last == "erase" || last == "nuke" || last == "truncate" ||
			(last == "rm" || last == "remove" || last == "del") && owned.Has(strings.TrimSuffix(first, "s")) {
			return true
		}
	}
	return false
}

// runners start what a project calls by a name.
var runners = map[string]string{"make": "", "gmake": "", "just": "", "task": "", "rake": "", "invoke": "", "inv": "",
	"fab": "", "cap": "",
	"nox": "-s", "mage": "", "bazel": "run", "nx": "run", "turbo": "run", "npm": "run run-script", "yarn": "run",
	"pnpm": "run", "bun": "run",
	"composer": "run run-script", "poe": "", "tox": "-e", "grunt": "", "gulp": "", "gradle": "", "gradlew": "",
	"lein": "", "thor": "",
	"earthly": "", "dagger": "call", "skaffold": "", "tilt": "", "devspace": "run", "okteto": "", "garden": "",
	"pipenv": "run", "doit": "",
	"foreman": "run", "ant": "", "sbt": "", "mvn": "", "deno": "task"}

// runner judges the names of a project's own tasks: make destroy, npm run db:drop.
func (a *assessor) runner(r *shellparse.Run) bool {
	sub, known := runners[r.Name]
	if !known {
		return false
	}
	if hasOption(r, []string{"-n", "--just-print", "--dry-run", "--recon"}) {
		return true
	}
	behind := sub == ""
	for i := range r.Args {
		t := r.Args[i].Text
		if t == "" || t[0] == '-' && !fieldOf(sub, t) || strings.ContainsAny(t, "= *") {
			continue
		}
		if !behind {
			if behind = fieldOf(sub, t); behind {
				continue
			}
			if r.Name != "yarn" || i > 0 { // yarn takes the name alone as well
				return true
			}
		}
		if tries(t) {
			return true // what follows selects tests
		}
		if destroys(t) {
			a.hit("tool.destroy")
			return true
		}
	}
	return true
}

// tries reports whether a task's name says that it tests or builds: test:destroy-session.
func tries(t string) bool {
	if i := strings.IndexAny(t, ":-_."); i > 0 {
		t = t[:i]
	}
	switch t {
	case "test", "tests", "spec", "lint", "check", "e2e", "docs", "doc", "build", "generate", "storybook", "typecheck", "coverage", "bench":
		return true
	}
	return false
}

// destroys reports whether a task's name says that it destroys data or infrastructure.
func destroys(t string) bool {
	low := strings.ToLower(t)
	for _, w := range [...]string{"destroy", "nuke", "wipe", "teardown", "tear-down", "purge", "obliterate",
		"decommission", "undeploy"} {
		if standsAlone(low, w) {
			return true
		}
	}
	data := standsAlone(low, "db") || standsAlone(low, "database") || standsAlone(low, "data") ||
		standsAlone(low, "volumes") || standsAlone(low,
		"cluster") || production(low) || standsAlone(low, "infra") || standsAlone(low, "env") ||
		standsAlone(low, "redis") || standsAlone(low,
		"schema") || standsAlone(low, "tables")
	return data && (standsAlone(low, "drop") || standsAlone(low, "reset") || standsAlone(low, "delete") ||
		standsAlone(low, "truncate") ||
		standsAlone(low, "flush") || standsAlone(low, "recreate") || standsAlone(low, "fresh") || standsAlone(low, "erase"))
}
