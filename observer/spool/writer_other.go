//go:build !linux

package spool

import "os"

// HasWriter reports whether any process holds f open for writing; known is false: this system cannot tell.
func HasWriter(*os.File) (writing, known bool) { return false, false }
