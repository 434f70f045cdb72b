package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/redact"
)

type historyOptions struct {
	choice
	limit int
	kinds bool
}

func (c *cli) historyCommand() *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show and search the commands recorded on this machine",
		Long: `Show the commands recorded on this machine, the latest at the end. All conditions have to hold.
A command whose exit code nobody told shows "?", one of an unknown time shows none. Where a secret was replaced stands
REDACTED: and its kind, such as REDACTED:github_token; with --json the kinds are also listed as redactions, and
--kinds says what each kind is. Lines are cut to the width of the terminal; into a file or a pipe they go whole.`,
		Example: `  caro-node history --search "git push" --since 7d
  caro-node history --cwd . --exit 130
  caro-node history --risk high --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.kinds {
				return c.printKinds()
			}
			if o.limit < 1 {
				return usageErrorf("--limit: %d is not a number of commands to show", o.limit)
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			q, err := o.query(cmd.Flags())
			if err != nil {
				return err
			}
			doc, err := fetchEvents(cmd.Context(), cl, q, o.limit)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.Out, doc)
			}
			return c.printHistory(doc.Events)
		},
	}
	f := cmd.Flags()
	o.addFlags(f)
	f.IntVarP(&o.limit, "limit", "n", 50, "how many at most")
	f.BoolVar(&o.kinds, "kinds", false, "say which kinds of secrets are replaced, and show no command")
	c.jsonFlag(cmd)
	return cmd
}

// secretKinds is the document of "history --kinds --json".
type secretKinds struct {
	SchemaVersion int          `json:"schema_version"`
	Kinds         []secretKind `json:"kinds"`
}

type secretKind struct {
	Name    string `json:"name"`
	Meaning string `json:"meaning"`
}

// printKinds shows what is replaced before a command is stored.
func (c *cli) printKinds() error {
	doc := secretKinds{SchemaVersion: v1.SchemaVersion}
	for _, k := range redact.Kinds() {
		doc.Kinds = append(doc.Kinds, secretKind(k))
	}
	if c.json {
		return writeJSON(c.Out, doc)
	}
	t := newTable(c.Out, "KIND", "WHAT IS REPLACED")
	for _, k := range doc.Kinds {
		t.row(k.Name, k.Meaning)
	}
	return t.flush()
}

// fetchEvents collects as many pages as the limit asks for, newest first.
func fetchEvents(ctx context.Context, cl *client.Client, q client.EventQuery, limit int) (v1.EventPage, error) {
	doc := v1.EventPage{SchemaVersion: v1.SchemaVersion, Events: []v1.Event{}}
	for want := limit; want > 0; want = limit - len(doc.Events) {
		q.Limit = min(want, api.MaxLimit)
		page, err := cl.Events(ctx, q)
		if err != nil {
			return doc, err
		}
		doc.Events = append(doc.Events, page.Events...)
		doc.NextCursor, q.Cursor = page.NextCursor, page.NextCursor
		if page.NextCursor == "" {
			break
		}
	}
	return doc, nil
}

// printHistory prints oldest first, like a shell's history: the latest is next to the prompt.
func (c *cli) printHistory(events []v1.Event) error {
	for _, e := range slices.Backward(events) {
		if err := c.print("%s", c.eventLine(e)); err != nil {
			return err
		}
	}
	if len(events) == 0 {
		c.say("No command matches.")
	}
	return nil
}

// eventLine shows one command in one line.
func (c *cli) eventLine(e v1.Event) string {
	at := e.Timestamp.Local().Format("2006-01-02 15:04:05")
	if e.Timestamp.Unix() == 0 {
		at = "time unknown       "
	}
	exit := "  ?"
	if e.ExitCode != nil {
		exit = fmt.Sprintf("%3d", *e.ExitCode)
	}
	head := fmt.Sprintf("%s  %s  ", at, exit)
	risk := fmt.Sprintf("%-8s", e.RiskLevel)
	return head + paint(isTerminal(c.Out, c.getenv), riskColour[e.RiskLevel], risk) + "  " +
		commandText(e, max(20, terminalWidth(c.Out)-len(head)-len(risk)-2))
}

// commandText shows a command within width columns. Kinds of replaced secrets whose marker is cut off, or stands in the
// folder's name, are told behind it.
func commandText(e v1.Event, width int) string {
	line := oneLine(e.Command)
	note := ""
	for {
		text := cut(line, max(20, width-len(note)))
		var hidden []string
		for _, kind := range e.Redactions {
			if !strings.Contains(text, redact.Marker(kind)) {
				hidden = append(hidden, kind)
			}
		}
		with := ""
		if len(hidden) > 0 {
			with = "  [replaced: " + strings.Join(hidden, ", ") + "]"
		}
		if len(with) <= len(note) { // nothing more was cut off to make room
			return text + note
		}
		note = with
	}
}
