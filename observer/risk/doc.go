// Package risk judges how much damage a command line can do, and says why and what would be safer.
//
// It works on the resolved commands of package shellparse, never on the text: what is only data (an echo, a commit
// message, a search pattern) is not judged, and what runs is judged however it was written.
//
// The levels mean:
//
//   - critical: the system, a home folder, a disk, a whole database, bucket or namespace, or data of production are lost
//     beyond repair, secrets leave the machine, or somebody else gets control of it;
//   - high: work, data or a service is lost or exposed, and getting it back takes a backup or luck;
//   - moderate: the command changes something that can be brought back, or removes something of small scope;
//   - safe: it reads, builds, tests or edits.
//
// A rule is data: an ID, a level, a reason and a suggestion, often with patterns of the commands that it means. Rules
// without patterns are reached from code, where a decision needs more than words, such as what a path stands for.
package risk
