package netlab

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newLab(t *testing.T, n int) *Lab {
	t.Helper()
	if err := Permitted(); err != nil {
		t.Skip(err)
	}
	l, err := New(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// hears reports whether lines that one host sends over UDP arrive at another. They are sent until one has arrived, for
// three seconds at most; the two must find each other first, which takes a second where nothing came through before.
func hears(t *testing.T, from, to *Host, addr string) bool {
	t.Helper()
	c, err := to.Capture(filepath.Join(t.TempDir(), "c.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 30 {
		if err := from.Run("bash", "-c", "echo probe > /dev/udp/"+addr+"/7777"); err != nil && !strings.Contains(err.Error(), "refused") {
			t.Fatal(err)
		}
		data, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "probe\n") {
			break
		}
		<-tick.C
	}
	packets, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if p.Kind == "UDP" && p.To.Port() == 7777 && string(p.Payload) == "probe\n" {
			return true
		}
	}
	return false
}

func TestHostsHearEachOtherExceptAcrossAPartition(t *testing.T) {
	l := newLab(t, 3)
	h := l.Hosts()
	if !hears(t, h[0], h[1], "10.77.0.2") {
		t.Error("host 2 does not hear host 1")
	}
	if err := l.Part(h[:1], h[1:]); err != nil {
		t.Fatal(err)
	}
	if hears(t, h[0], h[1], "10.77.0.2") {
		t.Error("host 2 hears host 1 across the partition")
	}
	if !hears(t, h[1], h[2], "10.77.0.3") {
		t.Error("host 3 does not hear host 2 on the same side")
	}
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	if !hears(t, h[0], h[1], "10.77.0.2") {
		t.Error("host 2 does not hear host 1 after the partition")
	}
}

func TestAnAddressCanBeAddedAndTakenAway(t *testing.T) {
	l := newLab(t, 2)
	h := l.Hosts()
	extra := netip.MustParsePrefix("10.77.0.99/24")
	if err := h[1].AddAddr(extra); err != nil {
		t.Fatal(err)
	}
	if !hears(t, h[0], h[1], "10.77.0.99") {
		t.Error("the new address is not reached")
	}
	if err := h[1].DelAddr(extra); err != nil {
		t.Fatal(err)
	}
	if err := h[1].DelAddr(extra); err == nil {
		t.Error("it was taken away twice")
	}
}

func TestWhatIsSentElsewhereIsSeenAndGoesNowhere(t *testing.T) {
	l := newLab(t, 1)
	h := l.Hosts()[0]
	c, err := h.Capture(filepath.Join(t.TempDir(), "c.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	_ = h.Run("bash", "-c", "echo out > /dev/udp/203.0.113.7/53") // whether the shell is told does not matter
	packets, err := c.Stop()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if p.Kind == "UDP" && p.To == netip.MustParseAddrPort("203.0.113.7:53") {
			return
		}
	}
	t.Errorf("captured %v", packets)
}

func TestAllPacketsAreLostWhereAHundredOfAHundredAre(t *testing.T) {
	l := newLab(t, 2)
	if err := l.Lose(100); err != nil {
		t.Fatal(err)
	}
	if hears(t, l.Hosts()[0], l.Hosts()[1], "10.77.0.2") {
		t.Error("a packet came through")
	}
	if err := l.Lose(0); err != nil {
		t.Fatal(err)
	}
	if !hears(t, l.Hosts()[0], l.Hosts()[1], "10.77.0.2") {
		t.Error("no packet comes through after the loss")
	}
}

func TestClosingEndsEveryProcessAndLeavesNothing(t *testing.T) {
	l := newLab(t, 1)
	before, err := exec.Command("ip", "-brief", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	cmd := l.Hosts()[0].Command(context.Background(), "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name := l.name
	// The process must be inside before it can be found there.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if out, _ := exec.Command("ip", "netns", "pids", l.Hosts()[0].namespace).Output(); len(out) > 0 {
			break
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	if left, _ := filepath.Glob("/run/netns/" + name + "*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	after, err := exec.Command("ip", "-brief", "link").Output()
	if err != nil || string(before) != string(after) {
		t.Errorf("the machine's interfaces changed:\n%s\n%s", before, after)
	}
}

func TestWhatAKilledRunLeftIsRemoved(t *testing.T) {
	if err := Permitted(); err != nil {
		t.Skip(err)
	}
	// No process has this ID: the kernel's limit is 4,194,304.
	left := prefix + "4194305-abcdef"
	if err := run("ip", "netns", "add", left); err != nil {
		t.Fatal(err)
	}
	other := newLab(t, 1)
	if _, err := os.Stat("/run/netns/" + left); err == nil {
		t.Error("it is still there")
	}
	newLab(t, 1)
	if _, err := os.Stat("/run/netns/" + other.name); err != nil {
		t.Error("a lab in use was removed")
	}
}

func TestAFileThatIsNoCaptureIsRefused(t *testing.T) {
	for _, s := range []string{"", "text", strings.Repeat("x", 100)} {
		if _, err := ReadCapture([]byte(s)); err == nil {
			t.Errorf("%q was read", s)
		}
	}
}
