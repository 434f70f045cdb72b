package wordset

import (
	"slices"
	"sync"
	"testing"
)

func TestASetHoldsExactlyTheWordsOfItsList(t *testing.T) {
	s := Of(" rm  dd\n\tmkfs ")
	for w, want := range map[string]bool{"rm": true, "dd": true, "mkfs": true, "": false, "r": false, "rm dd": false, "RM": false} {
		if s.Has(w) != want {
			t.Errorf("Has(%q) = %v", w, !want)
		}
	}
	got := s.Words()
	slices.Sort(got)
	if !slices.Equal(got, []string{"dd", "mkfs", "rm"}) {
		t.Errorf("words %q", got)
	}
}

func TestASetMayBeAskedFirstByManyAtOnce(t *testing.T) {
	s := Of("a b")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if !s.Has("b") {
				t.Error("b is missing")
			}
		})
	}
	wg.Wait()
}
