package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/caro-mesh/caro-node/cmd/caro-node/config"
	"github.com/caro-mesh/caro-node/protocol"
)

// guardProgram returns the program that the guard of a shell shall ask, empty without a guard. The flag counts where it
// is given, and the configuration otherwise, but that cannot ask for what sh does not offer.
func (c *cli) guardProgram(sh protocol.ShellType, flag, given bool) (string, error) {
	if !given && sh != protocol.ShellSh {
		p, err := c.paths()
		if err != nil {
			return "", err
		}
		loaded, err := config.Load(p.Config, nil)
		if err != nil {
			return "", err
		}
		flag = loaded.Observer.Guard == "on"
	}
	if !flag {
		return "", nil
	}
	return ownPath()
}

// ownPath returns an absolute path of this program: where the person's PATH has it, so that it stays right when the
// program is replaced by a newer one.
func ownPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the path of this program, which the guard has to ask: %w", err)
	}
	if found, err := exec.LookPath(os.Args[0]); err == nil {
		if found, err = filepath.Abs(found); err == nil && sameFile(found, self) {
			return found, nil
		}
	}
	return self, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
