package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScaleOfThirtyHosts is the command with a small mesh and without a look at the clock: `go run ./scripts/scale`
// measures 100 to 1,000.
func TestScaleOfThirtyHosts(t *testing.T) {
	const hosts = 30
	m, err := newMesh(t.Context(), hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	if m.links != hosts*neighbours/2 {
		t.Errorf("%d connections, want %d", m.links, hosts*neighbours/2)
	}
	for i, member := range m.members {
		if got := len(member.Registry.Peers()); got != neighbours {
			t.Errorf("host %d is connected to %d others", i, got)
		}
	}
	// Not the first one, which spoke while the mesh was made.
	for _, speaker := range []int{1, hosts / 2, hosts - 1} {
		took, err := m.spread(t.Context(), speaker, patience)
		if err != nil {
			t.Fatal(err)
		}
		if len(took) != hosts-1 {
			t.Errorf("%d hosts heard host %d", len(took), speaker)
		}
		t.Logf("half of %d hosts heard host %d within %s, all within %s", hosts, speaker, median(took), took[len(took)-1])
	}
	for i, member := range m.members {
		if refused := member.Refusals(); len(refused) > 0 {
			t.Errorf("host %d refused %v", i, refused)
		}
	}
}

func TestEveryHostHasEightDifferentNeighbours(t *testing.T) {
	for _, n := range []int{minHosts, 31, 100, 1000} {
		of := make(map[int]map[int]bool)
		for _, l := range someLinks(n) {
			for _, pair := range [][2]int{l, {l[1], l[0]}} {
				if of[pair[0]] == nil {
					of[pair[0]] = make(map[int]bool)
				}
				of[pair[0]][pair[1]] = true
			}
		}
		for i := range n {
			if len(of[i]) != neighbours || of[i][i] {
				t.Errorf("of %d hosts number %d has %d neighbours", n, i, len(of[i]))
			}
		}
	}
	if _, err := newMesh(t.Context(), minHosts-1); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("a smaller mesh: %v", err)
	}
}
