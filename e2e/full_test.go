package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/caro-mesh/caro-node/api/v1"
	"github.com/caro-mesh/caro-node/observer/spool"
	"github.com/caro-mesh/caro-node/protocol"
	"github.com/caro-mesh/caro-node/scripts/nodeproc"
)

// smallDisk mounts a file system of this many bytes, which takes root.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "caro-disk-") // not t.TempDir: the path of a unix socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		t.Skipf("a small disk cannot be mounted here (%v): a full disk is imitated in package store alone", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes until the disk has no byte left, and gives back room bytes.
func fill(t *testing.T, path string, room int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // its content does not matter
	size := int64(0)
	for {
		n, err := f.Write(make([]byte, 4096))
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(max(0, size-room)); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSaidAndWhatWaitsIsStoredWhenThereIsSpaceAgain(t *testing.T) {
	disk := smallDisk(t, 12<<20)
	p, err := nodeproc.New(t.Context(), program, filepath.Join(disk, "anna"), "anna")
	if err != nil {
		t.Fatal(err)
	}
	p.Daemon = os.Getenv("CARO_TEST_RACE_BIN")
	n := &node{p, t}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Errorf("%v; its log:\n%s", err, n.Log())
		}
	})
	n.start()
	n.caro("observe", "--shell", "bash", "--", "echo before")
	n.awaitEvents(1)
	filler := filepath.Join(disk, "filler")
	fill(t, filler, 256<<10)
	// What shells write fits; the database needs several times as much for it.
	const each = 1000
	var text []byte
	for i := range each {
		text = append(text, spool.Encode(spool.Record{Start: time.Now(), Shell: protocol.ShellBash, CWD: "/srv", Command: fmt.Sprintf("echo waits %d %s", i, strings.Repeat("x", 60))})...)
	}
	if err := os.WriteFile(filepath.Join(n.Home, "spool", "bash-1-1-1.spool"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	n.await("degraded health that says why", func(s v1.Status) bool {
		return s.Health == v1.HealthDegraded && s.Spool.PendingBytes > 0 && strings.Contains(strings.Join(s.HealthReasons, "\n"), "disk is full")
	})
	if out := n.caro("status"); !strings.Contains(out, "degraded") || !strings.Contains(out, "free some space") {
		t.Errorf("status says %q", out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	n.await("all commands and good health, without a restart", func(s v1.Status) bool { return s.Events == 1+each && s.Health == v1.HealthOK })
	var v v1.AuditVerification
	n.caroJSON(&v, "audit", "verify")
	if !v.OK {
		t.Errorf("the audit log says %+v", v)
	}
	if out := n.caro("db", "check"); !strings.Contains(out, "ok") {
		t.Errorf("the database is %q", out)
	}
}
