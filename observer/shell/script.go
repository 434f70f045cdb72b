package shell

import (
	_ "embed" // the scripts
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caro-mesh/caro-node/protocol"
)

//go:embed hook.bash
var bashHook string

//go:embed hook.zsh
var zshHook string

//go:embed hook.fish
var fishHook string

//go:embed hook.sh
var shHook string

// Options place a hook's files.
type Options struct {
	// SpoolDir is the absolute path of the spool folder; spool.Prepare makes it.
	SpoolDir string
	// PauseFile stops recording in every session while it exists. Empty: "paused" beside SpoolDir.
	PauseFile string
	// Guard is the path of the program that judges commands: the script then stops dangerous ones and asks before they
	// run. Empty: nothing is stopped. sh cannot stop commands.
	Guard string
}

// Script returns the hook for sh ([protocol.ShellSh] is for dash, ksh and mksh). It is a text for that shell to evaluate.
func Script(sh protocol.ShellType, o Options) (string, error) {
	if o.PauseFile == "" {
		o.PauseFile = PauseFile(o.SpoolDir)
	}
	for _, p := range []string{o.SpoolDir, o.PauseFile} {
		if !filepath.IsAbs(p) || strings.ContainsRune(p, 0) {
			return "", fmt.Errorf("the folder %q is not absolute: a shell changes its own folder all the time", p)
		}
	}
	quote := quotePOSIX
	var text string
	switch sh {
	case protocol.ShellBash:
		text = bashHook
	case protocol.ShellZsh:
		text = zshHook
	case protocol.ShellFish:
		text, quote = fishHook, quoteFish
	case protocol.ShellSh:
		text = shHook
	default:
		return "", fmt.Errorf("no hook for the shell %q (bash, zsh, fish and sh have one)", sh)
	}
	text = strings.NewReplacer("@SPOOL@", quote(o.SpoolDir), "@PAUSE@", quote(o.PauseFile)).Replace(text)
	if o.Guard == "" {
		return text, nil
	}
	more, err := guardScript(sh, o.Guard)
	return text + more, err
}

// PauseFile is the file whose existence pauses recording in all sessions that use the spool folder.
func PauseFile(spoolDir string) string { return filepath.Join(filepath.Dir(spoolDir), "paused") }

func quotePOSIX(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
