package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// bash-preexec is not part of this repository. Where it is not installed, it is taken out of an npm package that ships it.
const (
	preexecPackage = "@microsoft/inshellisense@0.0.1-rc.16"
	preexecMember  = "package/shell/bash-preexec.sh"
	preexecSHA256  = "d247d5252c414cd454df3113edbf8f89e4c57043452fab455c075ed8f537a514" // version 0.5.0
	preexecMost    = 1 << 20                                                            // bytes
)

// findPreexec returns the path of bash-preexec.sh: the one that BASH_PREEXEC names, one in the usual places, or one that it
// puts into dir. Otherwise absent says why there is none.
func findPreexec(ctx context.Context, dir string) (path, absent string) {
	if named := os.Getenv("BASH_PREEXEC"); named != "" {
		full, err := filepath.Abs(named)
		if err == nil {
			_, err = os.Stat(full)
		}
		if err != nil {
			return "", fmt.Sprintf("BASH_PREEXEC names no file: %v", err)
		}
		return full, ""
	}
	places := []string{"/usr/share/bash-preexec/bash-preexec.sh", "/usr/local/share/bash-preexec/bash-preexec.sh"}
	if home, err := os.UserHomeDir(); err == nil {
		places = append(places, filepath.Join(home, ".bash-preexec.sh"))
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, ""
		}
	}
	path, err := fetchPreexec(ctx, dir)
	if err != nil {
		return "", fmt.Sprintf("it is not installed and could not be had (%v); BASH_PREEXEC=<file> names it", err)
	}
	return path, ""
}

func fetchPreexec(ctx context.Context, dir string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not installed")
	}
	fmt.Fprintf(os.Stderr, "bench: taking bash-preexec.sh from the npm package %s\n", preexecPackage)
	pack := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", preexecPackage)
	pack.Dir = dir
	out, err := pack.Output()
	if err != nil {
		return "", fmt.Errorf("npm pack %s: %w", preexecPackage, err)
	}
	f, err := os.Open(filepath.Join(dir, filepath.Base(strings.TrimSpace(string(out)))))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // opened for reading
	script, err := member(f, preexecMember)
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(script); hex.EncodeToString(sum[:]) != preexecSHA256 {
		return "", fmt.Errorf("the file in %s is not the known one", preexecPackage)
	}
	path := filepath.Join(dir, "bash-preexec.sh")
	return path, os.WriteFile(path, script, 0o600)
}

// member returns one file of a gzipped tar archive.
func member(r io.Reader, name string) ([]byte, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	archive := tar.NewReader(z)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the package has no file %s", name)
		}
		if err != nil {
			return nil, err
		}
		if h.Name == name {
			var b bytes.Buffer
			_, err := io.Copy(&b, io.LimitReader(archive, preexecMost))
			return b.Bytes(), err
		}
	}
}
