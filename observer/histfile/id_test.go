package histfile

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/caro-mesh/caro-node/protocol"
)

func TestIDsAreStableValidAndDistinct(t *testing.T) {
	start := time.Unix(1700000000, 0)
	// This value must never change: people import the same file again with a later version.
	if got, want := EntryID(protocol.ShellBash, start, "ls", 0), "018bcfe5-6800-8df8-bb53-76088fc11444"; got != want {
		t.Errorf("EntryID is %s, wanted %s", got, want)
	}
	seen := map[string]string{}
	for _, shell := range []protocol.ShellType{protocol.ShellBash, protocol.ShellZsh, protocol.ShellFish} {
		for _, at := range []time.Time{{}, start, start.Add(time.Second), time.Unix(0, 0), time.Unix(253402300799, 0)} {
			for _, command := range []string{"ls", "ls ", "", "\xff"} {
				for occurrence := range 3 {
					id := EntryID(shell, at, command, occurrence)
					what := string(shell) + at.String() + command + string(rune('0'+occurrence))
					if other, ok := seen[id]; ok {
						t.Errorf("%q and %q have the same ID", what, other)
					}
					seen[id] = what
					if id != EntryID(shell, at, command, occurrence) {
						t.Errorf("the ID of %q changes", what)
					}
				}
			}
		}
	}
	for id := range seen {
		u, err := uuid.Parse(id)
		if err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 {
			t.Errorf("%s is no UUID of version 8: %v", id, err)
		}
	}
}

func TestIDsDoNotDependOnTheZoneAndSortByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, 253402300799).Draw(t, "a")
		b := rapid.Int64Range(0, 253402300799).Draw(t, "b")
		zone := time.FixedZone("x", rapid.IntRange(-50000, 50000).Draw(t, "zone"))
		first, second := EntryID(protocol.ShellZsh, time.Unix(a, 0).In(zone), "ls", 0), EntryID(protocol.ShellZsh, time.Unix(b, 0), "ls", 0)
		if first != EntryID(protocol.ShellZsh, time.Unix(a, 0).UTC(), "ls", 0) {
			t.Fatal("the zone changes the ID")
		}
		if a != b && a/1000 != b/1000 && (a < b) != (first < second) {
			t.Fatalf("%s and %s are not in the order of %d and %d", first, second, a, b)
		}
	})
}

// A file that is imported again after it grew, and after its oldest entries were cut off, brings no ID twice for what
// was there, and new ones only for what is new.
func TestIDsOfAGrowingFileStay(t *testing.T) {
	ids := func(cmds []string) map[string]bool {
		var c Counter
		out := map[string]bool{}
		for _, cmd := range cmds {
			id := EntryID(protocol.ShellBash, time.Time{}, cmd, c.Next(time.Time{}, cmd))
			if out[id] {
				t.Fatalf("ID of %q twice in one file", cmd)
			}
			out[id] = true
		}
		return out
	}
	old := []string{"ls", "ls", "make", "ls"}
	before, after, cut := ids(old), ids(append(old[:4:4], "ls", "pwd")), ids(old[1:])
	for id := range before {
		if !after[id] {
			t.Error("an entry of the shorter file has another ID in the longer one")
		}
	}
	if len(after) != len(before)+2 {
		t.Errorf("%d IDs, then %d", len(before), len(after))
	}
	for id := range cut {
		if !before[id] {
			t.Error("an entry got a new ID because an older one was cut off")
		}
	}
}
