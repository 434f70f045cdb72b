package risk

import (
	"slices"
	"strings"
	"sync"

	"github.com/caro-mesh/caro-node/observer/shellparse"
	"github.com/caro-mesh/caro-node/protocol/vocabulary"
)

// Assessment is the judgement of one command line.
type Assessment struct {
	// Level is that of the most severe finding, safe where there is none.
	Level vocabulary.RiskLevel
	// Findings are sorted most severe first, each rule once.
	Findings []Finding
}

// Finding is one reason for a level.
type Finding struct {
	RuleID string
	// Level is that of the rule; lower where the place (a container, a definition) limits the damage, higher where data of
	// production are lost.
	Level      vocabulary.RiskLevel
	Reason     string // one sentence
	Suggestion string // one sentence: what would be safer
}

// Rule is one entry of the rule list.
type Rule struct {
	ID         string
	Level      vocabulary.RiskLevel
	Reason     string
	Suggestion string
	// attack marks what nobody does by accident: left behind to run later, it is worse.
	attack bool
	// data marks the loss of data that live elsewhere, behind a server: neither a container nor a function limits it, and it
	// is critical where the line names production.
	data bool
	// when lists patterns of the commands that the rule means; see pattern.go for the notation.
	when []string
}

// Rules returns the rule list, sorted by ID.
func Rules() []Rule {
	out := slices.Concat(ruleGroups[:]...)
	slices.SortFunc(out, func(a, b Rule) int { return strings.Compare(a.ID, b.ID) })
	return out
}

var ruleGroups = [...][]Rule{shellRules, fileRules, diskRules, gitRules, containerRules, cloudRules, dataRules,
	networkRules, serviceRules, accountRules, packageRules, persistRules, harvestRules, escapeRules, attackRules,
	configRules, storeRules, desktopRules, windowsRules, gearRules, cloudMoreRules, deviceRules, listedRules, genericRules}

var ruleByID = sync.OnceValue(func() map[string]*Rule {
	m := map[string]*Rule{}
	for _, rules := range ruleGroups {
		for i := range rules {
			if _, twice := m[rules[i].ID]; twice {
				panic("rule declared twice: " + rules[i].ID)
			}
			m[rules[i].ID] = &rules[i]
		}
	}
	return m
})

// Assess judges a resolved command line. It is safe for concurrent use.
func Assess(c *shellparse.Command) Assessment {
	a := assessor{cmd: c}
	for i := range c.Runs {
		a.run(i)
	}
	a.line()
	slices.SortStableFunc(a.findings, func(x, y Finding) int { return int(y.Level) - int(x.Level) })
	out := Assessment{Findings: a.findings}
	if len(a.findings) > 0 {
		out.Level = a.findings[0].Level
	}
	return out
}

// assessor collects the findings on one command line.
type assessor struct {
	cmd      *shellparse.Command
	findings []Finding
	at       *shellparse.Run // the run being judged
	index    int
	hits     int // findings on this run
	shown    int // of these, findings that only say that a secret is shown, so that more may have to be said
	names    naming
	ops      []int // positions of the operands of the run being judged
}

// hit records a finding of the named rule on the present run.
func (a *assessor) hit(id string) {
	rule := ruleByID()[id]
	if rule == nil {
		panic("no such rule: " + id) // a test walks every ID in the code
	}
	a.hits++
	if id == "secret.store-read" || id == "secret.read" {
		a.shown++
	}
	level := rule.Level
	if level == vocabulary.RiskModerate && a.at != nil && a.inProduction(id) {
		level = vocabulary.RiskHigh
	}
	if rule.data {
		level = a.weighed(level)
		if level == vocabulary.RiskHigh && a.at != nil && tried(id, a.at) {
			level = vocabulary.RiskModerate
		}
	}
	if a.at != nil {
		level = limit(level, rule, a.at)
		if level == vocabulary.RiskModerate && a.at.Deferred && a.at.Parent >= 0 && a.cmd.Runs[a.at.Parent].Name == "alias" {
			level = vocabulary.RiskSafe // a name for something that is judged when it is used
		}
		if a.at.Planted && rule.attack && !strings.HasPrefix(id, "persist.") {
			at := a.at
			a.at = nil
			a.hit("persist.code")
			a.at = at
		}
	}
	for i := range a.findings {
		if a.findings[i].RuleID == id {
			a.findings[i].Level = max(a.findings[i].Level, level)
			return
		}
	}
	if level == vocabulary.RiskSafe {
		return
	}
	a.findings = append(a.findings, Finding{RuleID: id, Level: level, Reason: rule.Reason, Suggestion: rule.Suggestion})
}

// limit lowers a level where the run's surroundings limit the damage.
func limit(level vocabulary.RiskLevel, rule *Rule, r *shellparse.Run) vocabulary.RiskLevel {
	if level <= vocabulary.RiskModerate {
		return level
	}
	place := r.Place
	if rule.data {
		place = shellparse.PlaceHere
	}
	switch place {
	case shellparse.PlaceThrowaway: // what it destroys is thrown away anyway; mounts are judged with the carrier
		return vocabulary.RiskModerate
	case shellparse.PlaceContainer:
		level = min(level, vocabulary.RiskHigh)
	}
	if r.Deferred && level == vocabulary.RiskHigh && !(r.Planted && rule.attack) { // defined here, run later or never
		level = vocabulary.RiskModerate
	}
	return level
}

// run judges one simple command.
func (a *assessor) run(i int) {
	r := &a.cmd.Runs[i]
	a.at, a.index, a.hits, a.shown = r, i, 0, 0
	a.redirections()
	a.assignments()
	if r.Name == "" {
		return
	}
	if asksOnly(r) {
		return
	}
	patterns := patternsOf(r.Name)
	if len(patterns) > 0 {
		a.ops = r.Operands(a.ops[:0])
	}
	for i := range patterns {
		if patterns[i].matches(r, a.ops) && !(r.Depth > 0 && r.Parent < 0 &&
			patterns[i].rule == "secret.store-read") { // not shown
			a.hit(patterns[i].rule)
		}
	}
	if check := checks[r.Name]; check != nil {
		check(a, r)
	} else if alias := sameAs[r.Name]; alias != "" {
		if check := checks[alias]; check != nil {
			check(a, r)
		}
	} else if strings.HasPrefix(r.Name, "mkfs.") {
		makeFilesystem(a, r)
	}
	a.interpreted()
	a.sending()
	a.anywhere()
	if a.hits == a.shown || runners[r.Name] != "" || r.Name == "make" || r.Name == "rake" || r.Name == "just" {
		a.namedTool()
	}
	if len(r.Args) > 0 {
		a.listed()
		if !noTools.Has(r.Name) || r.Name == "git" || r.Name == "kubectl" {
			a.shieldsOff()
		}
	}
	if a.hits == 0 && r.Guess && dangerous.Has(r.Name) {
		a.hit("shell.unparsed")
	}
	if a.hits == 0 {
		a.elevated()
	}
}

// line judges what concerns the command line as a whole.
func (a *assessor) line() {
	a.at, a.hits = nil, 0
	if a.cmd.SelfSpawning {
		a.hit("shell.fork-bomb")
	}
	if a.cmd.Truncated {
		a.hit("shell.too-large")
	}
	a.sockets()
	a.together()
}

// simulates reports whether a package manager only says what it would do.
func simulates(r *shellparse.Run) bool {
	switch r.Name {
	case "apt", "apt-get", "aptitude", "nala":
		return hasOption(r, []string{"-s", "--simulate", "--just-print", "--dry-run", "--recon", "--no-act"})
	case "dnf", "yum", "microdnf":
		return r.Has("--assumeno")
	case "zypper":
		return hasOption(r, []string{"-D", "--dry-run"})
	case "dpkg":
		return hasOption(r, []string{"--simulate", "--no-act", "--dry-run"})
	case "rpm":
		return r.Has("--test")
	case "pacman":
		return hasOption(r, []string{"-p", "--print"})
	case "make", "gmake":
		return hasOption(r, []string{"-n", "--just-print", "--dry-run", "--recon"})
	case "pkg":
		return r.Has("-n") || r.Has("--dry-run")
	}
	return false
}

// asksOnly reports whether a run only asks for help or a version, or shows what it would do.
func asksOnly(r *shellparse.Run) bool {
	if simulates(r) {
		return true
	}
	if n := len(r.Args); n == 1 && (r.Arg(0) == "-h" || r.Arg(0) == "-V" || r.Arg(0) == "help") &&
		sameAs[r.Name] != "shutdown" &&
		r.Name != "shutdown" && r.Name != "history" || n > 0 && (r.Name == "aws" || r.Name == "az" ||
		r.Name == "gcloud") && r.Arg(n-1) == "help" ||
		n > 0 && r.Arg(0) == "help" && len(patternsOf(r.Name)) > 0 && !r.Root {
		return true
	}
	for i := range r.Args {
		switch t := r.Args[i].Text; t {
		case "--":
			return false
		case "--help", "--usage":
			return true
		case "--version": // helm upgrade --version 1.2 asks for nothing
			if i+1 == len(r.Args) {
				return true
			}
		default:
			if strings.HasPrefix(t, "--dry") && (t == "--dry-run" || t == "--dryrun" || strings.HasPrefix(t,
				"--dry-run=") && t != "--dry-run=none" && t != "--dry-run=false") && len(patternsOf(r.Name)) > 0 {
				return true
			}
		}
	}
	return false
}
