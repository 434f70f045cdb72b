package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiguresAreReadFromTheLineOfABenchmark(t *testing.T) {
	m, err := figures("goos: linux\nBenchmarkPrompt/bash-2 \t 1000\t 164.5 bare-µs\t 313 ours-adds-µs\nPASS\n")
	if want := map[string]float64{"bare-µs": 164.5, "ours-adds-µs": 313}; err != nil || !maps.Equal(m, want) {
		t.Errorf("%v, %v, want %v", m, err, want)
	}
	if m, err := figures("PASS\nok\n"); m != nil || err != nil {
		t.Errorf("without a line: %v, %v", m, err)
	}
	if _, err := figures("BenchmarkPrompt/bash-2 1000 x bare-µs\n"); err == nil {
		t.Error("no error for what is no figure")
	}
}

func TestBashPreexecIsTheFileThatIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.sh")
	t.Setenv("BASH_PREEXEC", file)
	if path, absent := findPreexec(t.Context(), t.TempDir()); path != "" || !strings.Contains(absent, "BASH_PREEXEC") {
		t.Errorf("%q, %q for a file that is missing", path, absent)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if path, absent := findPreexec(t.Context(), t.TempDir()); path != file || absent != "" {
		t.Errorf("%q, %q", path, absent)
	}
}

func TestOneFileIsTakenOutOfAPackage(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{"package/a": "aa", "package/b": "bb"} {
		err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600})
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := member(bytes.NewReader(b.Bytes()), "package/b"); err != nil || string(got) != "bb" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := member(bytes.NewReader(b.Bytes()), "package/c"); err == nil {
		t.Error("no error for a file that is not there")
	}
}
