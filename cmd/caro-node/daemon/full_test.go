package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caro-mesh/caro-node/api"
	"github.com/caro-mesh/caro-node/policy/audit"
	"github.com/caro-mesh/caro-node/store"
)

func TestAFullDiskIsToldWhereverItShows(t *testing.T) {
	full := fmt.Errorf("append: %w: free some space", store.ErrFull)
	for name, err := range map[string]error{
		"plain": full, "unrecorded": &audit.DeniedError{Cause: full}, "taken for a mistake": api.Refuse(api.ErrInvalid, "%w", full),
	} {
		t.Run(name, func(t *testing.T) {
			if got := explainFull(err); !errors.Is(got, api.ErrUnavailable) || !strings.Contains(got.Error(), "free some space") {
				t.Errorf("told as %v", got)
			}
		})
	}
	other := errors.New("other")
	if got := explainFull(other); got != other { //nolint:errorlint // the very same
		t.Errorf("%v became %v", other, got)
	}
	text := unwritable(&store.WriteFailure{Since: time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local), Err: full})
	if !strings.Contains(text, "2026-11-23 12:00:00") || !strings.Contains(text, "free some space") {
		t.Errorf("health says %q", text)
	}
}
