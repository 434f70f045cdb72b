package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/caro-mesh/caro-node/observer/guard"
)

// How often a short process is started. A 99th percentile of fewer would be the slowest one.
const (
	shortRuns   = 300
	guardedLine = "git push --dry-run origin main" // is checked, and harmless (see the test)
)

// guard times what a person waits for when a line has to be checked, and the same judgement for scripts, each in turn with
// the smallest process of this system.
func (b *bench) guard(ctx context.Context) error {
	var check, guarded, floor []time.Duration
	for range shortRuns {
		for _, m := range []struct {
			took *[]time.Duration
			args []string
		}{
			{&check, []string{b.bin, "check", "--", guardedLine}},
			{&guarded, []string{b.bin, "check", "--guard", "bash"}},
			{&floor, []string{"true"}},
		} {
			d, err := timed(ctx, m.args...)
			if err != nil {
				return err
			}
			*m.took = append(*m.took, d)
		}
	}
	least := ", floor " + ms(median(floor)) + " and " + ms(percentile(floor, 99)) + " (true)"
	row("check, p50 / p99", ms(median(check))+" / "+ms(percentile(check, 99)), "– / 20 ms"+least)
	row("check of the guard, p50 / p99", ms(median(guarded))+" / "+ms(percentile(guarded, 99)), "10 ms / –"+least)
	for _, sh := range []string{"bash", "zsh"} {
		took, bare, err := b.guardedIn(ctx, sh)
		if errors.Is(err, exec.ErrNotFound) {
			fmt.Printf("%s is not installed, so its guard is not measured\n", sh)
			continue
		}
		if err != nil {
			return err
		}
		row("check of the guard as "+sh+" waits for it, p50 / p99", ms(median(took))+" / "+ms(percentile(took, 99)),
			"10 ms / –, floor "+ms(median(bare))+" and "+ms(percentile(bare, 99))+" (true)")
	}
	return nil
}

func timed(ctx context.Context, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), guard.LineVariable+"="+guardedLine)
	start := time.Now()
	err := cmd.Run()
	return time.Since(start), err
}

// guardedIn lets a shell ask as the scripts of its guard do, and tell how long each answer took, its own fork included, in
// turn with the smallest process.
func (b *bench) guardedIn(ctx context.Context, sh string) (took, bare []time.Duration, err error) {
	const loop = `for ((i = 0; i < $3; i++)); do
  from=$EPOCHREALTIME
  out=$(CARO_NODE_LINE=$2 "$1" check --guard "$4" 2>/dev/null) || :
  to=$EPOCHREALTIME
  case $out in safe) ;; *) exit 1 ;; esac
  none=$("$5" 2>/dev/null) || :
  echo "$from $to $EPOCHREALTIME"
done`
	text := loop
	if sh == "zsh" {
		text = "zmodload zsh/datetime; " + loop
	}
	path, err := exec.LookPath(sh)
	if err != nil {
		return nil, nil, err
	}
	smallest, err := exec.LookPath("true")
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-c", text, sh, b.bin, guardedLine, strconv.Itoa(shortRuns), sh, smallest)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("the guard of %s gave no answer: %w", sh, err)
	}
	for line := range strings.Lines(string(out)) {
		var from, to, end float64
		if _, err := fmt.Sscan(line, &from, &to, &end); err != nil {
			return nil, nil, fmt.Errorf("times of %s: %w", sh, err)
		}
		took = append(took, time.Duration((to-from)*float64(time.Second)))
		bare = append(bare, time.Duration((end-to)*float64(time.Second)))
	}
	return took, bare, nil
}
