// Package aggregate computes what is shared and shown from counts: summaries and answers from one node's hourly rows,
// answers over many nodes from their summaries, merges of answers, and the shares that people read. It is pure.
//
// Everything is carried as exact sums, so that merging in any order gives the same result; averages, percent and
// normalised patterns are computed once, at the end.
package aggregate
