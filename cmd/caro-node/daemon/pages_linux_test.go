package daemon

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestOnlyPagesOfTheProgramThatNobodyWritesAreLetGo(t *testing.T) {
	const self = "/opt/caro node"
	for line, own := range map[string]bool{
		"00400000-01138000 r-xp 00000000 fe:00 12                         /opt/caro node": true,
		"01138000-02030000 r--p 00d38000 fe:00 12                         /opt/caro node": true,
		"02030000-020ed000 rw-p 01c30000 fe:00 12                         /opt/caro node": false,
		"7f70707be000-7f7070b00000 r--p 00000000 fe:00 13                 /opt/caro":      false,
		"30cd7000000-30cd8800000 rw-p 00000000 00:00 0 ":                                  false,
		"7ffc259ee000-7ffc259f0000 r-xp 00000000 00:00 0                  [vdso]":         false,
		"x-y r-xp 00000000 fe:00 12                                       /opt/caro node": false,
		"01138000-00400000 r-xp 00000000 fe:00 12                         /opt/caro node": false,
		"": false,
	} {
		from, to, ok := ownPages(line, self)
		if ok != own || ok && to-from != map[bool]uintptr{true: 0xd38000, false: 0xef8000}[from == 0x400000] {
			t.Errorf("%q: %#x to %#x, %v", line, from, to, ok)
		}
	}
}

func TestPagesOfTheProgramThatAreLetGoComeBackWhenUsed(t *testing.T) {
	before := residentFile(t)
	releasePages()
	if after := residentFile(t); after >= before {
		t.Errorf("resident pages of files: %d kB before, %d kB after", before, after)
	}
	if got := strconv.FormatFloat(0.1, 'g', -1, 64); got != "0.1" { // code and tables are read anew
		t.Error(got)
	}
}

// residentFile returns the resident memory that is backed by files, in kB.
func residentFile(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
