package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// residentWhile looks at the resident memory every second, from outside, since an answer of the node takes memory; the
// first 15 seconds, in which the start's is given back, do not count where there are others.
func residentWhile(ctx context.Context, n *nodeproc.Node, idle time.Duration) (string, error) {
	if err := pause(ctx, min(15*time.Second, idle/2)); err != nil {
		return "", err
	}
	var seen []int64
	for range max(1, int((idle-min(15*time.Second, idle/2))/time.Second)) {
		if err := pause(ctx, time.Second); err != nil {
			return "", err
		}
		u, err := n.Usage()
		if err != nil {
			return "", err
		}
		seen = append(seen, u.RSS)
	}
	slices.Sort(seen)
	return fmt.Sprintf("%s / %s", mib(seen[len(seen)/2]), mib(seen[len(seen)-1])), nil
}
