package config

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Paths are the places where a node keeps things (design §7).
type Paths struct {
	Data         string // 0700
	Key          string // identity.key
	DB           string // caro.db
	Spool        string // written by shell hooks
	Paused       string // exists while recording is paused for all shells
	Bundle       string // the accepted bundle of an organisation
	Organisation string // the fingerprint of its key
	Token        string // bearer token of the local API
	// Socket is the command line's way to the daemon. It is with the data, so that whoever finds the data finds the daemon
	// that has it, and links to the socket itself where that is in another folder.
	Socket string
	Run    string // the folder of the socket itself: XDG_RUNTIME_DIR is not the same in every session
	Config string // config.toml
}

// FindPaths resolves the places from the environment: CARO_HOME puts everything into one folder, else the XDG base
// directories with their documented defaults count. Relative values of XDG variables are ignored, as the XDG Base
// Directory Specification demands.
func FindPaths(getenv func(string) string) (Paths, error) {
	if home := getenv("CARO_HOME"); home != "" {
		abs, err := filepath.Abs(home)
		if err != nil {
			return Paths{}, fmt.Errorf("resolve CARO_HOME %q: %w", home, err)
		}
		return pathsIn(abs, abs, abs), nil
	}
	home := getenv("HOME")
	xdg := func(name, fallback string) (string, error) {
		if d := getenv(name); filepath.IsAbs(d) {
			return filepath.Join(d, "caro"), nil
		}
		if home == "" {
			return "", fmt.Errorf("neither HOME nor %s is set; set CARO_HOME to a folder of your choice", name)
		}
		return filepath.Join(home, fallback, "caro"), nil
	}
	data, err := xdg("XDG_DATA_HOME", ".local/share")
	if err != nil {
		return Paths{}, err
	}
	conf, err := xdg("XDG_CONFIG_HOME", ".config")
	if err != nil {
		return Paths{}, err
	}
	run := data
	if d := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		// The variable outlives the folder in some ssh sessions, and with su it names the folder of another user.
		if st, err := os.Stat(d); err == nil && st.IsDir() && own(st) {
			run = filepath.Join(d, "caro")
		}
	}
	return pathsIn(data, conf, run), nil
}

func own(fi os.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func pathsIn(data, conf, run string) Paths {
	return Paths{
		Data:         data,
		Key:          filepath.Join(data, "identity.key"),
		DB:           filepath.Join(data, "caro.db"),
		Spool:        filepath.Join(data, "spool"),
		Paused:       filepath.Join(data, "paused"),
		Bundle:       filepath.Join(data, "bundle.toml"),
		Organisation: filepath.Join(data, "organisation"),
		Token:        filepath.Join(data, "api.token"),
		Socket:       filepath.Join(data, "api.sock"),
		Run:          run,
		Config:       filepath.Join(conf, "config.toml"),
	}
}

// Create makes the folders that a daemon writes to, for the user alone.
func (p Paths) Create() error {
	for _, dir := range []string{p.Data, p.Spool, p.Run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("create folder %s: %w", dir, err)
		}
	}
	return nil
}
