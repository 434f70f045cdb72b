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

// Languages lists the interpreters of other languages whose option for program text differs from one to the next.
func Languages() []string {
	out := []string{"groovy", "elixir", "julia", "raku", "luajit", "tsx", "ts-node", "pypy", "pypy3", "ipython", "irb", "jruby"}
	for name := range inlineOptions {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
