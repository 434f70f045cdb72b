//go:build !linux

package daemon

// releasePages does nothing: only Linux says which pages are whose.
func releasePages() {}
