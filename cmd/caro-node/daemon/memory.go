package daemon

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

const (
	// trimFirst is when the memory of the start is given back: by then the backlog of the spool is usually stored.
	trimFirst = 10 * time.Second
	trimEvery = time.Minute
	// trimAbove is how much freed heap is worth a collection to give it back to the system.
	trimAbove = 3 << 20
)

// trimMemory gives memory back to the system after bursts: Go keeps freed heap for minutes in case it is needed again,
// and a node that idles beside somebody's editor should not. Program code that is not in use goes with it. It returns nil when ctx ends.
func trimMemory(ctx context.Context) error {
	wait := time.NewTimer(trimFirst)
	defer wait.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		metrics.Read(sample)
		free, live, objects := sample[0].Value.Uint64(), sample[1].Value.Uint64(), sample[2].Value.Uint64()
		// Objects above what the last collection found alive may be garbage.
		if free+objects-min(live, objects) > trimAbove {
			debug.FreeOSMemory()
		}
		releasePages()
		wait.Reset(trimEvery)
	}
}

// memory reads the resident set from the kernel where it tells, and the heap from the runtime.
func memory() v1.Memory {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	m := v1.Memory{HeapBytes: sample[0].Value.Uint64()}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return m
	}
	if fields := strings.Fields(string(statm)); len(fields) > 1 {
		if pages, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			m.RSSBytes = pages * uint64(os.Getpagesize())
		}
	}
	return m
}
