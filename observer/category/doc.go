// Package category says what a command works on, and what its shape is without its values.
//
// A line of several commands is counted once, under the command that does the work: wrappers (sudo, env, time, xargs, …)
// are already gone in the resolved form of package shellparse, preparation and plumbing (cd, echo, grep behind a pipe)
// count only where nothing else is there, and of the rest the first one counts.
package category
