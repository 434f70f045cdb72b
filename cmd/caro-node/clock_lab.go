//go:build lab

package main

import (
	"fmt"
	"time"
)

// clock is the node's clock: the machine's, put forward by CARO_LAB_CLOCK, such as +6m or -4m.
func clock(getenv func(string) string) (func() time.Time, error) {
	text := getenv("CARO_LAB_CLOCK")
	if text == "" {
		return time.Now, nil
	}
	off, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("CARO_LAB_CLOCK: %w", err)
	}
	return func() time.Time { return time.Now().Add(off) }, nil
}
