package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/caro-mesh/caro-node/api/client"
	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// previewed is how many of the commands that would go are shown.
const previewed = 5

type deleteOptions struct {
	choice
	ids []string
	yes bool
}

func (c *cli) deleteCommand() *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:   "delete [flags]",
		Short: "Delete recorded commands for good",
		Long: `Delete recorded commands for good: their text is overwritten in the database and in its write-ahead log, and they are
taken out of the counts. All conditions have to hold; what would go is shown and confirmed first. Summaries that were
made before stay as they are: they hold counts and nothing else.

The node does not record "caro-node delete" itself. Your shell's own history file is not touched, and importing it would
bring the commands back.`,
		Example: `  caro-node delete --search "my-secret-host"
  caro-node delete --cwd ~/private --until 30d --yes
  caro-node delete --id 0199a000-0000-7000-8000-00000000002a`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runDelete(cmd, o) },
	}
	f := cmd.Flags()
	o.addFlags(f)
	f.StringSliceVar(&o.ids, "id", nil, "the command with this ID (caro-node history --json shows IDs); may be repeated")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	c.jsonFlag(cmd)
	return cmd
}

func (c *cli) runDelete(cmd *cobra.Command, o deleteOptions) error {
	q, err := o.query(cmd.Flags())
	if err == nil {
		err = o.checkFilled(cmd.Flags())
	}
	if err != nil {
		return err
	}
	chosen := !everything(q)
	switch {
	case q != client.EventQuery{} && len(o.ids) > 0:
		return usageErrorf("give --id or conditions, not both")
	case !chosen && len(o.ids) == 0:
		return usageErrorf("say what to delete: --id, or at least one condition such as --search, --cwd or --since (see %q)", cmd.CommandPath()+" --help")
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	n, first, err := c.doomed(ctx, cl, q, &o)
	if err != nil {
		return err
	}
	if n == 0 {
		c.say("No command matches; nothing was deleted.")
		return c.printDeleted(v1.DeletedEvents{SchemaVersion: v1.SchemaVersion})
	}
	c.say("This deletes %s for good:", commandCount(n))
	for _, e := range first {
		c.say("  %s", c.eventLine(e))
	}
	if more := n - int64(len(first)); more > 0 {
		c.say("  … and %s more", grouped(more))
	}
	if !o.yes {
		ok, err := c.confirm(ctx, "Delete?")
		if err != nil {
			return err
		}
		if !ok {
			c.say("Nothing was deleted.")
			return &exitError{exitFailed, nil}
		}
	}
	var deleted int64
	if chosen {
		deleted, err = cl.DeleteMatching(ctx, q)
	} else {
		deleted, err = cl.DeleteEvents(ctx, o.ids)
	}
	if err != nil {
		return err
	}
	c.say("Deleted %s.", commandCount(deleted))
	if s, err := cl.Status(ctx); err == nil && s.Spool.Torn > 0 {
		c.say("%d damaged records, which cannot be searched, are kept in the folder torn of the spool; look there too.", s.Spool.Torn)
	}
	return c.printDeleted(v1.DeletedEvents{SchemaVersion: v1.SchemaVersion, Deleted: deleted})
}

// doomed returns how many commands would go, and the first few of them. IDs of commands that do not exist are said and
// left out.
func (c *cli) doomed(ctx context.Context, cl *client.Client, q client.EventQuery, o *deleteOptions) (int64, []v1.Event, error) {
	if len(o.ids) == 0 {
		n, err := cl.CountEvents(ctx, q)
		if err != nil {
			return 0, nil, err
		}
		page, err := fetchEvents(ctx, cl, q, previewed)
		return n, page.Events, err
	}
	var found []string
	var first []v1.Event
	for _, id := range o.ids {
		e, err := cl.Event(ctx, id)
		var refused *client.Error
		if errors.As(err, &refused) && refused.NotFound() {
			c.say("There is no command with the ID %s.", oneLine(id))
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		found = append(found, id)
		if len(first) < previewed {
			first = append(first, e.Event)
		}
	}
	o.ids = found
	return int64(len(found)), first, nil
}

func (c *cli) printDeleted(doc v1.DeletedEvents) error {
	if c.json {
		return writeJSON(c.Out, doc)
	}
	return nil
}

// confirm asks on a terminal. Elsewhere nobody could answer, so it demands --yes.
func (c *cli) confirm(ctx context.Context, question string) (bool, error) {
	line, err := c.ask(ctx, question+" [y/N] ")
	line = strings.ToLower(line)
	return line == "y" || line == "yes", err
}

// ask returns what somebody types at a terminal, without blanks around it; nothing when they give up.
func (c *cli) ask(ctx context.Context, prompt string) (string, error) {
	in, ok := terminalInput(c.In)
	if !ok {
		return "", usageErrorf("nothing was done, because nobody can be asked here: repeat it with --yes")
	}
	_, _ = fmt.Fprint(c.Err, prompt)
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be given up; it ends with the process
		line, err := bufio.NewReader(in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- line
	}()
	select {
	case line := <-answer:
		return strings.TrimSpace(line), nil
	case <-ctx.Done():
		c.say("")
		return "", nil
	}
}

// terminalInput returns r if somebody can type there.
func terminalInput(r io.Reader) (*os.File, bool) {
	f, ok := r.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// commandCount is "1 command" or "1,234 commands".
func commandCount[N int | int64](n N) string {
	if n == 1 {
		return "1 command"
	}
	return grouped(n) + " commands"
}

// grouped writes a number that is not negative with a comma before each three digits.
func grouped[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
