//go:build !lab

package main

import "time"

// clock is the node's clock: the machine's. Only the build for the network lab can have another one, so that nothing in a
// user's environment can make a node sign wrong times.
func clock(func(string) string) (func() time.Time, error) { return time.Now, nil }
