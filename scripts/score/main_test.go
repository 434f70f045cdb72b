package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamedFilesAreScoredAndMissesListed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.tsv")
	if err := os.WriteFile(path, []byte("critical\trm -rf /\nhigh\tls\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run([]string{"-v", path}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"own.tsv:2: ls", "high and critical found: 0.5000", "entries: 2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestAMissingCorpusIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := run(nil, &strings.Builder{}); err == nil {
		t.Error("no corpus, and no error")
	}
	if err := run([]string{"none.tsv"}, &strings.Builder{}); err == nil {
		t.Error("a missing file, and no error")
	}
}
