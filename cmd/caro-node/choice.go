package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/caro-mesh/caro-node/api/client"
	"github.com/caro-mesh/caro-node/protocol"
)

// choice holds the flags that choose commands: the same for looking at them and for deleting them.
type choice struct {
	search, cwd, since, until, risk, category string
	exit                                      int
	failed                                    bool
}

func (o *choice) addFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.search, "search", "s", "", "words that the command contains")
	f.StringVar(&o.cwd, "cwd", "", "only commands in this folder or below it")
	f.StringVar(&o.since, "since", "", "only after this: a span such as 90m, 12h, 7d or 2w, or an RFC 3339 time")
	f.StringVar(&o.until, "until", "", "only before this")
	f.StringVar(&o.risk, "risk", "", "only this risk level or higher: moderate, high, critical")
	f.StringVar(&o.category, "category", "", "only this category, such as git")
	f.IntVar(&o.exit, "exit", 0, "only commands that ended with this exit code")
	f.BoolVar(&o.failed, "failed", false, "only commands that failed")
}

// query reads the flags, which f holds.
func (o *choice) query(f *pflag.FlagSet) (client.EventQuery, error) {
	q := client.EventQuery{Search: o.search, Since: o.since, Until: o.until, MinRisk: o.risk, Category: o.category}
	if o.cwd != "" {
		dir, err := filepath.Abs(o.cwd)
		if err != nil {
			return q, fmt.Errorf("find the folder of --cwd: %w", err)
		}
		q.CWD = dir
	}
	if f.Changed("exit") {
		q.ExitCode = &o.exit
	}
	if o.failed {
		q.Failed = &o.failed
	}
	return q, nil
}

// everything reports that no condition of q leaves a command out.
func everything(q client.EventQuery) bool {
	q.Search = strings.TrimSpace(q.Search)
	if q.MinRisk == protocol.RiskSafe.String() {
		q.MinRisk = ""
	}
	return q == client.EventQuery{}
}

// checkFilled refuses conditions without content: an empty variable of a script must not turn "these" into "all".
func (o *choice) checkFilled(f *pflag.FlagSet) error {
	for _, name := range []string{"search", "cwd", "since", "until", "risk", "category"} {
		if flag := f.Lookup(name); flag.Changed && flag.Value.String() == "" {
			return usageErrorf("--%s is empty: leave it out, or say what to look for", name)
		}
	}
	return nil
}
