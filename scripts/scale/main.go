// Command scale runs many real hosts of this project in one process: the host as package host assembles it, under its
// unchanged TLS and yamux, with Hello, its registry and the health topic, over connections within the process. Each is
// connected to eight others. It prints how long a health status takes to reach everybody, and what a host costs. Every
// size runs in a process of its own. docs/performance.md keeps the results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caro-mesh/caro-node/protocol/health"
)

type options struct {
	messages int
	idle     time.Duration
}

func main() {
	sizes := flag.String("hosts", "100,300,1000", "numbers of hosts")
	o := options{}
	flag.IntVar(&o.messages, "messages", 20, "health statuses whose way is timed, each from another host")
	flag.DurationVar(&o.idle, "idle", 30*time.Second, "how long nobody speaks while processor time is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, strings.Split(*sizes, ","), o); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes []string, o options) error {
	if len(sizes) == 1 {
		n, err := strconv.Atoi(strings.TrimSpace(sizes[0]))
		if err != nil {
			return fmt.Errorf("-hosts: %q is no number", sizes[0])
		}
		r, err := measure(ctx, n, o)
		if err != nil {
			return err
		}
		fmt.Println(r)
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("%s/%s, %d CPUs, %s\n\n%s\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), head)
	for _, size := range sizes {
		cmd := exec.CommandContext(ctx, self, "-hosts", size, "-messages", strconv.Itoa(o.messages), "-idle", o.idle.String())
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s hosts: %w", size, err)
		}
	}
	return nil
}

// report is what was measured of one size.
type report struct {
	hosts, links int
	made         time.Duration // from nothing to everybody connected
	resident     int64         // bytes of the process; 0 where the system does not tell
	goroutines   int
	halves, all  []time.Duration // of each status, until half and until all had heard it; sorted
	perStatus    time.Duration   // processor time of the whole mesh
	idle         time.Duration   // processor time a host and second while nobody speaks
}

const head = "hosts  connections  made in  resident  a host     goroutines  half heard  all heard: p50 / max  CPU a status  CPU a host, idle / speaking"

// String writes one row below head.
func (r report) String() string {
	const mib = 1 << 20
	// Everybody speaks every 30 seconds and hears everybody. What is said at about the same time travels together, so
	// that this is the most that it can be.
	speaking := r.idle + time.Duration(float64(r.perStatus)/health.Interval.Seconds())
	return fmt.Sprintf("%-6d %-12d %-8s %-9s %-10s %-11.0f %-11s %-21s %-13s %.2f / %.2f ms/s", r.hosts, r.links, seconds(r.made),
		fmt.Sprintf("%d MiB", r.resident/mib), fmt.Sprintf("%.2f MiB", float64(r.resident)/mib/float64(r.hosts)), float64(r.goroutines)/float64(r.hosts),
		ms(median(r.halves)), ms(median(r.all))+" / "+ms(r.all[len(r.all)-1]), ms(r.perStatus), milli(r.idle), milli(speaking))
}

func milli(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ms(d time.Duration) string { return fmt.Sprintf("%.0f ms", milli(d)) }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func median(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// measure makes a mesh, looks at it and takes it down.
func measure(ctx context.Context, n int, o options) (r report, err error) {
	if o.messages < 1 || o.messages >= n {
		return r, fmt.Errorf("-messages is %d; it must be at least 1 and below the number of hosts, %d", o.messages, n)
	}
	start := time.Now()
	m, err := newMesh(ctx, n)
	if err != nil {
		return r, err
	}
	defer m.close()
	r = report{hosts: n, links: m.links, made: time.Since(start)}
	runtime.GC()
	debug.FreeOSMemory()
	r.goroutines = runtime.NumGoroutine()
	if r.resident, err = resident(); err != nil {
		return r, err
	}
	if r.idle, err = cpuWhile(func() error { return pause(ctx, o.idle) }); err != nil {
		return r, err
	}
	r.idle = time.Duration(float64(r.idle) / o.idle.Seconds() / float64(n))
	for _, i := range rand.Perm(n - 1)[:o.messages] {
		speaker := i + 1 // not the first one, which spoke while the mesh was made
		var took []time.Duration
		began := time.Now()
		spent, err := cpuWhile(func() (err error) {
			took, err = m.spread(ctx, speaker, patience)
			return errors.Join(err, pause(ctx, time.Second)) // with what is said about it afterwards
		})
		if err != nil {
			return r, err
		}
		atRest := time.Duration(float64(r.idle) * float64(n) * time.Since(began).Seconds())
		r.perStatus += max(0, spent-atRest) / time.Duration(o.messages)
		r.halves, r.all = append(r.halves, median(took)), append(r.all, took[len(took)-1])
	}
	slices.Sort(r.halves)
	slices.Sort(r.all)
	return r, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cpuWhile returns the processor time of this process during f.
func cpuWhile(f func() error) (time.Duration, error) {
	before, err := processorTime()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := processorTime()
	return after - before, err
}

func processorTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("read the processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// resident returns the resident set of this process in bytes, or 0 where there is no /proc.
func resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm has an unknown form: %q", b)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
