// Package guard decides, from a command line's words alone, whether it can be dangerous at all.
//
// The guard of an interactive shell asks `caro-node check` before a dangerous command runs. Starting a program for every
// line would be felt, so the shell first looks at the words itself, with built-ins only. [Suspect] is that look; the
// scripts of package shell do the same from the same [Words]. It may send harmless lines to the check, which then lets
// them through, but no line that the rules judge high or critical may pass it unseen.
//
// The look rests on one observation: a shell can only run what is written in the line, unless the line computes it. So
// a line is suspect
//
//   - if it computes words in a way that hides them: command substitutions, ${…}, $'…', process substitutions, function
//     definitions, here-documents, variables that the line itself sets, or anything but plain letters in the place of a
//     program's name;
//   - or if, quotes and backslashes taken away, it holds a word that a rule is about, together with one of the words or
//     marks that the rule needs;
//   - or if it redirects to a hidden file, a home folder or a variable, or is very long.
//
// A shell also runs what an alias stands for, so the scripts look at the line together with the values of the aliases among
// its words (in fish: of the one that begins the line), and the check judges the expansion. zsh's global and suffix aliases
// are expanded only after the guard; functions are not looked into.
package guard
