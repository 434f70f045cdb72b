// Package shellparse reads a command line once and resolves it into the simple commands that really run.
//
// A shell lets one thing be written in a hundred ways: with quotes, escapes, variables and brace lists; behind sudo, env,
// xargs or find -exec; as text handed to sh -c, eval, a here-document or a pipe into an interpreter. Whoever judges a
// command must see through all of them in the same way, so the resolution is done here, once, and the judges
// (packages risk and category) work on the result, a flat list of [Run] values.
//
// The resolution is an approximation that knows nothing of the machine. Values that the line itself tells are computed
// (assignments, echo and printf, base64 and the like, here-documents, files written and then run in the same line);
// everything else stays open, and says so ([Word.Open]). Every branch counts as taken and every loop body as run.
//
// Nothing is ever executed, no file is read, and no environment is consulted. Input, nesting, number of runs and computed
// text are bounded; where a bound was reached, [Command.Truncated] is set. [Parse] never fails and never panics.
package shellparse
