package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// asked are the searches that are timed: for each filter what is common, what is rare and what is not there.
var asked = []struct{ what, args string }{
	{"the newest", ""},
	{"a frequent word", "--search git"},
	{"a rare word", "--search feature/cachetest-47"},
	{"a word of which only the parts occur", "--search feature/cachetest-4711"},
	{"an absent word", "--search zzzqqq"},
	{"two letters, absent", "--search qz"},
	{"two words that never meet", "--search kubectl\x00compose"},
	{"a folder", "--cwd /home/user/src/mail"},
	{"a folder, absent", "--cwd /srv/nowhere"},
	{"exit code 130", "--exit 130"},
	{"exit code 99, absent", "--exit 99"},
	{"failed", "--failed"},
	{"risk high and above", "--risk high"},
	{"risk critical", "--risk critical"},
	{"category other:terraform", "--category other:terraform"},
	{"category editor, a folder, failed", "--category editor --cwd /home/user/src/mail/core --failed"},
	{"a time, a word", "--since 400d --until 395d --search make"},
	{"a frequent word, rare risk that never meet", "--search lib --risk critical"},
	{"a word, a folder, exit code that never meet", "--search terraform --cwd /home/user/src/web/core --exit 130"},
	{"1,000 of the newest, --json", "--limit 1000 --json"},
}

// searches times "caro-node history" as a whole process over many stored commands.
func (b *bench) searches(ctx context.Context) error {
	if b.searched == 0 {
		fmt.Println("search over 1,000,000 commands: not measured (-million measures it)")
		return nil
	}
	n, err := nodeproc.New(ctx, b.bin, filepath.Join(b.dir, "searched"), "searched")
	if err != nil {
		return err
	}
	if err := typed(n.Home, b.searched); err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	defer func() { _ = n.Kill() }() // stopped below unless something failed
	if err := n.Await(ctx, "all commands", func(s v1.Status) bool { return s.Events >= int64(b.searched) }); err != nil {
		return err
	}
	fmt.Printf("history over %d commands, the process included, median / slowest of %d:\n", b.searched, b.runs)
	for _, a := range asked {
		args := append([]string{"history"}, strings.Fields(a.args)...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x00", " ")
		}
		var took []time.Duration
		for range b.runs {
			start := time.Now()
			if _, err := n.Run(ctx, args...); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		found, err := count(ctx, n, args)
		if err != nil {
			return err
		}
		row(fmt.Sprintf("  %s (shows %d)", a.what, found), ms(median(took))+" / "+ms(percentile(took, 100)), "100 ms / –")
	}
	return n.Stop()
}

// count returns how many commands a search shows.
func count(ctx context.Context, n *nodeproc.Node, args []string) (int, error) {
	out, err := n.Run(ctx, append(args, "--json")...)
	if err != nil {
		return 0, err
	}
	var page v1.EventPage
	if err := json.Unmarshal(out, &page); err != nil {
		return 0, fmt.Errorf("read the answer of \"history --json\": %w", err)
	}
	return len(page.Events), nil
}

// typed leaves n varied commands of the last two years in the spool.
func typed(home string, n int) (err error) {
	f, err := os.OpenFile(filepath.Join(home, "spool", "bash-1-1-1.spool"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	t := newTypist()
	step := 2 * 365 * 24 * time.Hour / time.Duration(n)
	at := time.Now().Add(-step * time.Duration(n))
	for range n {
		at = at.Add(step)
		code, took := t.exit(), time.Duration(t.r.ExpFloat64()*400)*time.Millisecond
		r := spool.Record{Start: at, Duration: &took, Exit: &code, Shell: protocol.ShellBash, CWD: t.folder(), Command: t.command()}
		if _, err := w.Write(spool.Encode(r)); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
