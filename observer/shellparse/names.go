package shellparse

import (
	"maps"
	"slices"
)

// Wrappers returns the names of the programs that run the command given in their own words, sorted.
func Wrappers() []string {
	names := append(slices.Collect(maps.Keys(wrappers)), "xargs", "parallel", "zargs")
	slices.Sort(names)
	return names
}
