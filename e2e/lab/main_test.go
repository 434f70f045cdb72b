package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/caro-mesh/caro-node/scripts/lab/netlab"
)

// program is the caro-node under test, built with the tag lab.
var program string

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) == squatterRole {
		os.Exit(squat())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := netlab.Permitted(); err != nil {
		fmt.Fprintln(os.Stderr, "the tests of the network lab are skipped:", err)
		return m.Run()
	}
	// make names the binary that it built; otherwise it is built here, without the page.
	if program = os.Getenv("CARO_TEST_LAB_BIN"); program == "" {
		dir, err := os.MkdirTemp("", "caro-lab-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover temporary folder fails no test
		program = filepath.Join(dir, "caro-node")
		build := exec.Command("go", "build", "-tags", "lab", "-o", program, "../../cmd/caro-node")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "build caro-node:", err)
			return 1
		}
	}
	code := m.Run()
	if path := os.Getenv("CARO_LAB_TABLE"); path != "" {
		if err := os.WriteFile(path, table(), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// seen is what the tests tell of, for the table of "make lab".
var seen struct {
	sync.Mutex
	rows []row
}

type row struct{ test, what, how string }

// saw adds a row to the table and to the test's log.
func saw(t *testing.T, what, format string, args ...any) {
	t.Helper()
	how := fmt.Sprintf(format, args...)
	t.Logf("%s: %s", what, how)
	seen.Lock()
	defer seen.Unlock()
	test, _, _ := strings.Cut(t.Name(), "/")
	seen.rows = append(seen.rows, row{test, what, how})
}

// since is a time that passed, for the table.
func since(start time.Time) string { return time.Since(start).Round(100 * time.Millisecond).String() }

func table() []byte {
	seen.Lock()
	defer seen.Unlock()
	slices.SortStableFunc(seen.rows, func(a, b row) int { return strings.Compare(a.test, b.test) })
	var text strings.Builder
	test := ""
	for _, r := range seen.rows {
		if r.test != test {
			test = r.test
			fmt.Fprintf(&text, "%s\t\n", test)
		}
		fmt.Fprintf(&text, "  %s\t%s\n", r.what, r.how)
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if _, err := w.Write([]byte(text.String())); err != nil {
		return []byte(err.Error())
	}
	if err := w.Flush(); err != nil {
		return []byte(err.Error())
	}
	return b.Bytes()
}
